#include "relay/jobs/feed.h"

#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace std::chrono_literals;

namespace {
const OrgId kOrg("org_A"), kOther("org_B");
const RecipeId kRecipe("rcp_1");
SteadyTime soon() { return std::chrono::steady_clock::now() + 5ms; }
}  // namespace

ASYNC_TEST_CASE("a watcher hears of its job and of no other organisation's", "[jobs][tenancy]") {
  LocalJobFeed feed(co_await boost::asio::this_coro::executor);
  auto mine = *feed.subscribe(kOrg, {.job = JobId("job_1"), .recipe = {}});
  feed.publish(kOther, kRecipe, {JobId("job_1"), 1});
  feed.publish(kOrg, kRecipe, {JobId("job_2"), 1});
  auto news = co_await mine->next(soon());
  CHECK(std::get<FeedSilence>(news) == FeedSilence::quiet);
  feed.publish(kOrg, kRecipe, {JobId("job_1"), 7});
  news = co_await mine->next(soon());
  REQUIRE(std::holds_alternative<JobChange>(news));
  CHECK(std::get<JobChange>(news).seq == 7);
}

ASYNC_TEST_CASE("a watcher that does not read is dropped and told so", "[jobs]") {
  LocalJobFeed feed(co_await boost::asio::this_coro::executor);
  auto slow = *feed.subscribe(kOrg, {});
  for (std::uint64_t i = 0; i < 300; ++i) feed.publish(kOrg, kRecipe, {JobId("job_1"), i});
  auto news = co_await slow->next(soon());
  CHECK(std::get<FeedSilence>(news) == FeedSilence::dropped);
}

ASYNC_TEST_CASE("subscriptions are bounded, and ending one makes room", "[jobs]") {
  LocalJobFeed feed(co_await boost::asio::this_coro::executor);
  std::vector<std::unique_ptr<JobSubscription>> all;
  for (auto next = feed.subscribe(kOrg, {}); next; next = feed.subscribe(kOrg, {})) all.push_back(std::move(*next));
  CHECK(all.size() == 1'000);
  CHECK(feed.subscribe(kOrg, {}).error().code == Errc::exhausted);
  all.pop_back();
  CHECK(feed.subscribe(kOrg, {}).has_value());
}

ASYNC_TEST_CASE("the end of the feed reaches its watchers", "[jobs]") {
  std::unique_ptr<JobSubscription> left;
  {
    LocalJobFeed feed(co_await boost::asio::this_coro::executor);
    left = *feed.subscribe(kOrg, {});
  }
  auto news = co_await left->next(soon());
  CHECK(std::get<FeedSilence>(news) == FeedSilence::closed);
}
