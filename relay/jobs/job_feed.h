#pragma once

#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace sallyport::jobs {

// "Something of this job was stored": up to which event of its history (store::HistoryEvent::seq), or 0 when only the
// job's row changed (queued, dispatched, cancelled). What happened is read from the store, which is also how a watcher
// resumes.
struct JobChange {
  JobId job;
  std::uint64_t seq = 0;
};

enum class FeedSilence {
  quiet,    // the deadline passed and nothing happened
  dropped,  // the subscriber was too slow and lost changes: read the store again, or subscribe anew
  closed,   // the relay stops
};

using FeedNews = std::variant<JobChange, FeedSilence>;

// Who watches, for the shares of the bounded number of watchers.
struct Watcher {
  OrgId org;
  std::string token;  // "token:tok_...": what is counted together within the organisation
};

struct FeedFilter {
  std::optional<JobId> job;  // nothing: every job of the organisation
  std::optional<RecipeId> recipe;
};

// One subscriber's bounded queue. Dropping the object ends the subscription. Used on the relay's loop only.
class JobSubscription {
 public:
  virtual ~JobSubscription() = default;
  // After `dropped` or `closed` it gives nothing else any more. May be cancelled. One call at a time.
  virtual store::awaitable<FeedNews> next(SteadyTime deadline) = 0;
};

// Tells subscribers of an organisation about its jobs as they happen; never about another one's.
class JobFeed {
 public:
  virtual ~JobFeed() = default;
  // exhausted: too many subscribers, in all, of the organisation or of the token; the message says which.
  virtual Result<std::unique_ptr<JobSubscription>> subscribe(Watcher who, FeedFilter filter) = 0;
};

}  // namespace sallyport::jobs
