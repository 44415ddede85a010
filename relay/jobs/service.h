#pragma once

#include "relay/jobs/dispatcher.h"
#include "relay/jobs/job_service.h"
#include "relay/jobs/outlines.h"
#include "relay/jobs/retention_rules.h"
#include "relay/jobs/volatile_payloads.h"
#include "relay/keys/envelope.h"
#include "relay/keys/fingerprints.h"
#include "relay/store/groups.h"
#include "relay/store/history.h"
#include "relay/store/recipes.h"

namespace sallyport::jobs {

// The JobService of this relay: queues in the store and wakes the dispatcher.
class StoredJobService final : public JobService {
 public:
  struct Parts {
    store::Jobs& jobs;
    store::Recipes& recipes;
    RecipeOutlines& outlines;
    RetentionRules& retention;
    store::History& history;
    store::Groups& groups;
    keys::Envelope& envelope;
    keys::Fingerprints& fingerprints;
    VolatilePayloads& memory;
    ParcelMaker& parcels;
    Dispatcher& dispatcher;
    LocalJobFeed& feed;
    const Clock& clock;
    const Log& log;
  };

  explicit StoredJobService(Parts parts) : parts_(parts) {}

  store::awaitable<Result<store::AddedJob>> start(OrgId org, StartJob request, Actor actor,
                                                  store::AuditNote<store::AddedJob> note = {}) override;
  store::awaitable<Result<store::AddedJob>> start_event(OrgId org, StartEvent event,
                                                        store::AuditNote<store::AddedJob> note = {}) override;
  store::awaitable<Result<store::Job>> cancel(OrgId org, JobId job, Actor actor,
                                              store::AuditNote<store::Job> note = {}) override;
  store::awaitable<Result<store::Job>> rerun(OrgId org, RerunJob request, Actor actor,
                                             store::AuditNote<store::AddedJob> note = {}) override;

 private:
  struct Order {
    OrgId org;
    RecipeId recipe;
    std::uint32_t version = 0;
    RecipeOutlines::Outline outline;
    Value trigger;  // a map with `kind` and `inputs`
    std::string trigger_json;
    std::string event_key;
    store::Mode mode = store::Mode::real;
    std::optional<std::int32_t> priority = {};
    std::string request_key = {};
  };
  store::awaitable<Result<store::AddedJob>> start_job(Order order, store::AuditNote<store::AddedJob> note);
  // Errc::conflict: the group that the recipe runs on is not there.
  store::awaitable<Result<store::Group>> group_of(OrgId org, RecipeOutlines::Outline recipe);
  // Sealed for the store, or, of a job without payload, held in memory: then its place is kept when the job is there.
  store::awaitable<Result<VolatilePayloads::Place>> put_trigger(store::NewJob& added, const keys::NewJobKeys& keys,
                                                                std::string trigger_json);
  // `added` lacks its id, its time and its payloads.
  store::awaitable<Result<store::AddedJob>> queue(store::NewJob added, std::string trigger_json,
                                                  std::vector<CompletedStep> kept,
                                                  store::AuditNote<store::AddedJob> note);
  // What the old job completed before `step`, if all of it is still there.
  store::awaitable<Result<Secret>> trigger_of(store::Job job);
  store::awaitable<Result<std::vector<CompletedStep>>> results_before(const store::Job& old, const std::string& step);

  Parts parts_;
};

}  // namespace sallyport::jobs
