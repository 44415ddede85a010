#include "relay/jobs/feed.h"

#include "shared/async/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace sallyport::jobs {
namespace {
constexpr std::size_t kMaxSubscribers = 1'000;
constexpr std::size_t kMaxOfOrganisation = 100;
constexpr std::size_t kMaxOfToken = 32;
constexpr std::size_t kMaxQueued = 256;
}  // namespace

struct LocalJobFeed::Subscriber {
  Subscriber(boost::asio::any_io_executor executor, Watcher watcher, FeedFilter what)
      : who(std::move(watcher)), filter(std::move(what)), news(std::move(executor)) {}

  bool wants(const OrgId& of, const RecipeId& recipe, const JobId& job) const {
    return who.org == of && (!filter.job || *filter.job == job) && (!filter.recipe || *filter.recipe == recipe);
  }
  void end(FeedSilence how) {
    if (!ended) ended = how;
    news.set();
  }

  Watcher who;
  FeedFilter filter;
  Event news;
  std::deque<JobChange> changes;
  std::optional<FeedSilence> ended;
};

class LocalJobFeed::Subscription final : public JobSubscription {
 public:
  Subscription(std::shared_ptr<Subscriber> me, std::weak_ptr<std::list<std::shared_ptr<Subscriber>>> all)
      : me_(std::move(me)), all_(std::move(all)) {}
  ~Subscription() override {
    if (auto all = all_.lock()) all->remove(me_);
  }

  store::awaitable<FeedNews> next(SteadyTime deadline) override {
    auto me = me_;
    if (me->changes.empty() && !me->ended) {
      me->news.clear();
      co_await me->news.wait_until(deadline);
    }
    if (me->ended) co_return *me->ended;
    if (me->changes.empty()) co_return FeedSilence::quiet;
    auto change = std::move(me->changes.front());
    me->changes.pop_front();
    co_return change;
  }

 private:
  std::shared_ptr<Subscriber> me_;
  std::weak_ptr<std::list<std::shared_ptr<Subscriber>>> all_;
};

LocalJobFeed::LocalJobFeed(boost::asio::any_io_executor executor)
    : executor_(std::move(executor)), subscribers_(std::make_shared<std::list<std::shared_ptr<Subscriber>>>()) {}

LocalJobFeed::~LocalJobFeed() {
  for (auto& subscriber : *subscribers_) subscriber->end(FeedSilence::closed);
}

Result<void> LocalJobFeed::check_shares(const Watcher& who) const {
  const auto of_org = [&](const auto& one) { return one->who.org == who.org; };
  const auto of_token = [&](const auto& one) { return of_org(one) && one->who.token == who.token; };
  if (static_cast<std::size_t>(std::ranges::count_if(*subscribers_, of_token)) >= kMaxOfToken) {
    return fail(Errc::exhausted, fmt::format("this API token watches {} jobs already; end some of them", kMaxOfToken));
  }
  if (static_cast<std::size_t>(std::ranges::count_if(*subscribers_, of_org)) >= kMaxOfOrganisation) {
    return fail(Errc::exhausted,
                fmt::format("your organisation watches {} jobs already; end some of them", kMaxOfOrganisation));
  }
  if (subscribers_->size() >= kMaxSubscribers) {
    return fail(Errc::exhausted, "too many jobs are being watched here; try again later");
  }
  return {};
}

Result<std::unique_ptr<JobSubscription>> LocalJobFeed::subscribe(Watcher who, FeedFilter filter) {
  SP_CHECK(check_shares(who));
  auto subscriber = std::make_shared<Subscriber>(executor_, std::move(who), std::move(filter));
  subscribers_->push_back(subscriber);
  return std::make_unique<Subscription>(std::move(subscriber), subscribers_);
}

void LocalJobFeed::publish(const OrgId& org, const RecipeId& recipe, const JobChange& change) {
  for (auto& subscriber : *subscribers_) {
    if (subscriber->ended || !subscriber->wants(org, recipe, change.job)) continue;
    if (subscriber->changes.size() >= kMaxQueued) {
      subscriber->end(FeedSilence::dropped);
    } else {
      subscriber->changes.push_back(change);
      subscriber->news.set();
    }
  }
}

}  // namespace sallyport::jobs
