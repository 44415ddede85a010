#include "relay/jobs/feed.h"

#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace std::chrono_literals;

namespace {
const OrgId kOrg("org_A"), kOther("org_B");
const Watcher kMe{kOrg, "token:tok_1"};
const RecipeId kRecipe("rcp_1");
SteadyTime soon() { return std::chrono::steady_clock::now() + 5ms; }
}  // namespace

ASYNC_TEST_CASE("a watcher hears of its job and of no other organisation's", "[jobs][tenancy]") {
  LocalJobFeed feed(co_await boost::asio::this_coro::executor);
  auto mine = *feed.subscribe(kMe, {.job = JobId("job_1"), .recipe = {}});
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
  auto slow = *feed.subscribe(kMe, {});
  for (std::uint64_t i = 0; i < 300; ++i) feed.publish(kOrg, kRecipe, {JobId("job_1"), i});
  auto news = co_await slow->next(soon());
  CHECK(std::get<FeedSilence>(news) == FeedSilence::dropped);
}

ASYNC_TEST_CASE("each token, each organisation and all together have a bounded share, and ending one makes room",
                "[jobs][limits]") {
  LocalJobFeed feed(co_await boost::asio::this_coro::executor);
  std::vector<std::unique_ptr<JobSubscription>> all;
  const auto fill = [&](const Watcher& who) {
    std::size_t got = 0;
    auto next = feed.subscribe(who, {});
    for (; next; next = feed.subscribe(who, {}), ++got) all.push_back(std::move(*next));
    CHECK(next.error().code == Errc::exhausted);
    return std::pair(got, next.error().message);
  };
  const auto [of_token, token_text] = fill(kMe);
  CHECK(of_token == 32);
  CHECK(token_text.find("API token") != std::string::npos);
  CHECK(fill({kOrg, "token:tok_2"}).first == 32);
  CHECK(fill({kOrg, "token:tok_3"}).first == 32);
  const auto [rest, org_text] = fill({kOrg, "token:tok_4"});
  CHECK(rest == 4);
  CHECK(org_text.find("organisation") != std::string::npos);
  std::size_t others = 0;
  for (int i = 0; i < 40; ++i) others += fill({OrgId("org_" + std::to_string(i)), "token:tok_1"}).first;
  CHECK(others == 900);
  CHECK(feed.subscribe({kOther, "token:tok_1"}, {}).error().message.find("too many jobs") != std::string::npos);
  all.pop_back();
  CHECK(feed.subscribe({kOther, "token:tok_1"}, {}).has_value());
}

ASYNC_TEST_CASE("the end of the feed reaches its watchers", "[jobs]") {
  std::unique_ptr<JobSubscription> left;
  {
    LocalJobFeed feed(co_await boost::asio::this_coro::executor);
    left = *feed.subscribe(kMe, {});
  }
  auto news = co_await left->next(soon());
  CHECK(std::get<FeedSilence>(news) == FeedSilence::closed);
}
