#pragma once

#include "relay/domain/retention.h"
#include "relay/store/jobs.h"
#include "relay/store/key_store.h"
#include "relay/store/retentions.h"
#include "shared/base/clock.h"
#include "shared/recipe/model.h"

#include <chrono>
#include <map>

namespace sallyport::jobs {

inline constexpr std::size_t kMaxRetentionsKept = 1'024;     // organisations at hand
inline constexpr std::chrono::seconds kRetentionKeptFor{5};  // then the store is asked again

domain::AskedRetention asked_of(const recipe::Recipe& recipe);

// How long an organisation has data kept, at hand for who makes jobs. A change that did not come through this relay is
// noticed within kRetentionKeptFor. Lives on the relay's loop.
class RetentionRules {
 public:
  RetentionRules(store::Retentions& retentions, const Clock& clock) : retentions_(retentions), clock_(clock) {}

  store::awaitable<Result<domain::RetentionLevels>> levels(OrgId org);
  // What a job gets that asks for this much.
  store::awaitable<Result<domain::JobRetention>> in_effect(OrgId org, domain::AskedRetention asked);
  // A lane's hours now: its organisation may have shortened what the lane was made with. Where the organisation is not
  // known (relay.db is older than keys.db) the lane stays as it was made.
  store::awaitable<Result<std::uint32_t>> hours_now(OrgId org, store::RetentionLane lane);
  // Why a job can neither be shown with what started it nor be run again, when that went with its time: Errc::conflict.
  store::awaitable<Error> payload_ended(store::Job job);
  void forget();  // somebody changed what is kept

 private:
  struct Kept {
    domain::RetentionLevels levels;
    SteadyTime until;
  };

  store::Retentions& retentions_;
  const Clock& clock_;
  std::map<OrgId, Kept> kept_;  // emptied when it would pass kMaxRetentionsKept
  std::uint64_t forgotten_ = 0;
};

}  // namespace sallyport::jobs
