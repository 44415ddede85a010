#pragma once

#include "relay/jobs/job_feed.h"

#include <boost/asio/any_io_executor.hpp>

#include <list>

namespace sallyport::jobs {

// The relay's own JobFeed: publish() wakes the subscribers of that organisation. Bounded: 256 changes a subscriber,
// 1,000 subscribers, 100 of one organisation, 32 of one token. Lives on one loop and outlives its subscriptions' use of
// it (they hold what they need).
class LocalJobFeed final : public JobFeed {
 public:
  explicit LocalJobFeed(boost::asio::any_io_executor executor);
  ~LocalJobFeed() override;  // subscribers hear FeedSilence::closed

  Result<std::unique_ptr<JobSubscription>> subscribe(Watcher who, FeedFilter filter) override;
  void publish(const OrgId& org, const RecipeId& recipe, const JobChange& change);

 private:
  struct Subscriber;
  class Subscription;

  Result<void> check_shares(const Watcher& who) const;

  boost::asio::any_io_executor executor_;
  std::shared_ptr<std::list<std::shared_ptr<Subscriber>>> subscribers_;
};

}  // namespace sallyport::jobs
