#pragma once

#include "relay/store/jobs.h"
#include "shared/base/value.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sallyport::jobs {

// Who asked, as the audit ledger writes it: "user:usr_...", "token:tok_...".
struct Actor {
  std::string name;
};

struct StartJob {
  RecipeId recipe;
  std::optional<std::uint32_t> version;       // nothing: the active one
  Value inputs;                               // a map; becomes `inputs` of the recipe's expressions
  std::string event_key;                      // "" = no de-duplication
  std::optional<std::int32_t> priority = {};  // nothing: the recipe's
  store::Mode mode = store::Mode::real;
  std::string request_key = {};  // a claimed idempotency key: the same one again gives the first job; "" = none
};

// Something that the relay itself has taken in for a recipe with the trigger `uses`.
struct StartEvent {
  RecipeId recipe;
  std::string uses;         // "webhook@1"
  std::string natural_key;  // what it is known by when it comes again, unless the recipe's `dedupe` says otherwise
  Value data;               // a map; becomes `trigger` of the recipe's expressions
};

struct RerunJob {
  JobId job;
  std::string from_step;         // "": the whole recipe; else completed steps before this one keep their results
  std::string request_key = {};  // as in StartJob
};

// What the web API may do with jobs. Called on the relay's loop; every call is durable when its coroutine returns
// success. The note of a call is stored with its change.
class JobService {
 public:
  virtual ~JobService() = default;
  // Queues a job. The same event key again gives the first job, marked as a duplicate.
  // not_found: no such recipe or version. conflict: no version is active. invalid: inputs do not fit the recipe.
  // exhausted: the organisation's queue is full. A dry run takes no event key (invalid), and no place of the recipe's
  // concurrency.
  virtual store::awaitable<Result<store::AddedJob>> start(OrgId org, StartJob request, Actor actor,
                                                          store::AuditNote<store::AddedJob> note = {}) = 0;
  // Queues a job for an event. The same event again gives the first job, marked as a duplicate, for as long as that job
  // is in the history. not_found: no version that is active starts by this trigger, or its group is not there.
  // conflict: the recipe skips what comes while it runs. invalid: the recipe's `dedupe`, inputs or concurrency key
  // cannot be made of it. too_large, exhausted: as for start().
  virtual store::awaitable<Result<store::AddedJob>> start_event(OrgId org, StartEvent event,
                                                                store::AuditNote<store::AddedJob> note = {}) = 0;
  // A queued job ends at once, an active one as soon as its agent has been told. conflict: it has ended.
  virtual store::awaitable<Result<store::Job>> cancel(OrgId org, JobId job, Actor actor,
                                                      store::AuditNote<store::Job> note = {}) = 0;
  // A new job of the same recipe version with the same trigger data. conflict: the old one has not ended.
  // invalid: no such step, or its data is not kept. Of a dry run it is one again, of all its steps.
  virtual store::awaitable<Result<store::Job>> rerun(OrgId org, RerunJob request, Actor actor,
                                                     store::AuditNote<store::AddedJob> note = {}) = 0;
};

}  // namespace sallyport::jobs
