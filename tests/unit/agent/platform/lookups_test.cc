#include "agent/platform/lookups.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <future>
#include <mutex>

using namespace sallyport;
using namespace std::chrono_literals;
using platform::Lookups;
namespace asio = boost::asio;

namespace {

// Names that begin with "hang" get no answer before let_go(); others have 10.0.0.1.
class FakeResolver {
 public:
  Lookups::Resolve resolve() {
    return [this](const std::string& host) -> Lookups::Addresses {
      {
        const std::scoped_lock lock(mutex_);
        asked_.push_back(host);
      }
      if (host.starts_with("hang")) gone_.wait();
      if (host == "nowhere") return fail(Errc::unavailable, "no such host");
      return std::vector{asio::ip::make_address("10.0.0.1")};
    };
  }
  void let_go() { go_.set_value(); }
  std::size_t times(const std::string& host) const {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(asked_, host));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;
  std::promise<void> go_;
  std::shared_future<void> gone_ = go_.get_future().share();
};

auto in(std::chrono::milliseconds length) { return std::chrono::steady_clock::now() + length; }

asio::awaitable<void> ask(Lookups& lookups, std::string host, std::chrono::milliseconds patience,
                          std::vector<Errc>& ends) {
  const auto found = co_await lookups.find(host, 80, in(patience));
  if (!found) ends.push_back(found.error().code);
}

}  // namespace

ASYNC_TEST_CASE("a name has the resolver's addresses with the target's port, or its words", "[platform]") {
  FakeResolver resolver;
  Lookups lookups(co_await asio::this_coro::executor, 4, resolver.resolve());
  const auto found = co_await lookups.find("db", 5432, in(10s));
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(fmt::format("{}:{}", found->front().address().to_string(), found->front().port()) == "10.0.0.1:5432");
  const auto nowhere = co_await lookups.find("nowhere", 1, in(10s));
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().message == "no such host");
  const auto number = co_await lookups.find("::1", 1, in(10s));
  REQUIRE(number);
  CHECK(resolver.times("::1") == 0);
  const auto again = co_await lookups.find("db", 1, in(10s));
  REQUIRE(again);
  CHECK(resolver.times("db") == 2);
}

ASYNC_TEST_CASE("a name that hangs takes one place however often it is asked for, and others go on",
                "[platform][bounds]") {
  FakeResolver resolver;
  Lookups lookups(co_await asio::this_coro::executor, 4, resolver.resolve());
  TaskGroup tasks(co_await asio::this_coro::executor, [](const auto&, const auto& why) { FAIL_CHECK(why); });
  std::vector<Errc> ends;
  for (int i = 0; i < 100; ++i) tasks.spawn("ask", ask(lookups, "hang", 50ms, ends));
  const auto found = co_await lookups.find("db", 1, in(10s));
  CHECK(found);
  co_await tasks.join();
  CHECK(ends == std::vector(100, Errc::timed_out));
  tasks.spawn("ask", ask(lookups, "hang", 10ms, ends));
  co_await tasks.join();
  CHECK(resolver.times("hang") == 1);
  resolver.let_go();
}

ASYNC_TEST_CASE("with all threads taken, names wait up to a bound, and what nobody waits for is not begun",
                "[platform][bounds]") {
  FakeResolver resolver;
  Lookups lookups(co_await asio::this_coro::executor, 4, resolver.resolve());
  TaskGroup tasks(co_await asio::this_coro::executor, [](const auto&, const auto& why) { FAIL_CHECK(why); });
  std::vector<Errc> ends;
  for (int round = 0; round < 3; ++round) {
    ends.clear();
    for (int i = 0; i < 4; ++i) tasks.spawn("hang", ask(lookups, fmt::format("hang{}", i), 100ms, ends));
    for (int i = 0; i < 70; ++i) tasks.spawn("ask", ask(lookups, fmt::format("name{}", i), 100ms, ends));
    co_await tasks.join();
    CHECK(std::ranges::count(ends, Errc::timed_out) == 64);
    CHECK(std::ranges::count(ends, Errc::exhausted) == 10);
  }
  resolver.let_go();
  const auto found = co_await lookups.find("db", 1, in(10s));
  CHECK(found);
  for (int i = 0; i < 70; ++i) CHECK(resolver.times(fmt::format("name{}", i)) == 0);
}

ASYNC_TEST_CASE("its end waits for what was begun and begins nothing more", "[platform]") {
  FakeResolver resolver;
  std::vector<Errc> ends;
  TaskGroup tasks(co_await asio::this_coro::executor, [](const auto&, const auto& why) { FAIL_CHECK(why); });
  {
    Lookups lookups(co_await asio::this_coro::executor, 4, resolver.resolve());
    for (int i = 0; i < 4; ++i) tasks.spawn("hang", ask(lookups, fmt::format("hang{}", i), 10s, ends));
    tasks.spawn("ask", ask(lookups, "late", 10s, ends));
    co_await sleep_for(50ms);
    tasks.stop();
    co_await tasks.join();
    resolver.let_go();
  }
  CHECK(ends == std::vector(5, Errc::cancelled));
  CHECK(resolver.times("late") == 0);
}
