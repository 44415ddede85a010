#include "shared/async/task_group.h"

#include "shared/async/blocking.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>

#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> count_when_set(Event& gate, int& count) {
  co_await gate.wait();
  if (gate.is_set()) ++count;
}
asio::awaitable<void> throw_at_once() {
  throw std::runtime_error("planted");
  co_return;
}
asio::awaitable<Result<int>> never(Event& gate) {
  co_await gate.wait();
  co_return fail(Errc::cancelled, "stopped");
}

}  // namespace

ASYNC_TEST_CASE("an event wakes every waiter", "[async]") {
  auto executor = co_await asio::this_coro::executor;
  Event gate(executor);
  int count = 0;
  TaskGroup group(executor, [](auto&, auto) { FAIL("no task throws"); });
  for (int i = 0; i < 3; ++i) group.spawn("waiter", count_when_set(gate, count));
  co_await sleep_for(1ms);
  gate.set();
  co_await group.join();
  CHECK(count == 3);
}

ASYNC_TEST_CASE("stopping a group ends waiters without their event", "[async]") {
  auto executor = co_await asio::this_coro::executor;
  Event gate(executor);
  int count = 0;
  TaskGroup group(executor, [](auto&, auto) {});
  group.spawn("waiter", count_when_set(gate, count));
  co_await sleep_for(1ms);
  group.stop();
  group.spawn("late", count_when_set(gate, count));
  co_await group.join();
  CHECK(count == 0);
  CHECK(group.size() == 0);
}

namespace {

asio::awaitable<void> join_inner_then_mark(Event& gate, int& joined, int& went_on) {
  TaskGroup inner(co_await asio::this_coro::executor, [](auto&, auto) {});
  int ignored = 0;
  inner.spawn("waiter", count_when_set(gate, ignored));
  co_await inner.join();
  ++joined;
  co_await sleep_for(1ms);
  ++went_on;
}

}  // namespace

ASYNC_TEST_CASE("a cancelled joiner still joins, and the cancel then takes effect", "[async]") {
  auto executor = co_await asio::this_coro::executor;
  Event gate(executor);
  int joined = 0, went_on = 0;
  TaskGroup outer(executor, [](auto&, auto) {});
  outer.spawn("joiner", join_inner_then_mark(gate, joined, went_on));
  co_await sleep_for(1ms);
  outer.stop();
  co_await sleep_for(1ms);
  CHECK(joined == 0);
  gate.set();
  co_await outer.join();
  CHECK(joined == 1);
  CHECK(went_on == 0);
}

ASYNC_TEST_CASE("an exception from a task reaches the owner with its name", "[async]") {
  auto executor = co_await asio::this_coro::executor;
  std::string culprit;
  TaskGroup group(executor, [&](const std::string& task, const std::string& why) { culprit = task + ": " + why; });
  group.spawn("thrower", throw_at_once());
  co_await group.join();
  CHECK(culprit == "thrower: planted");
}

ASYNC_TEST_CASE("a deadline ends an operation and says so", "[async]") {
  Event gate(co_await asio::this_coro::executor);
  auto outcome = co_await with_timeout(2ms, never(gate));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::timed_out);
}

ASYNC_TEST_CASE("blocking work runs on the pool and resumes on the loop", "[async]") {
  asio::thread_pool pool(1);
  const auto home = std::this_thread::get_id();
  const auto away = co_await run_blocking(pool, [] { return std::this_thread::get_id(); });
  CHECK(away != home);
  CHECK(std::this_thread::get_id() == home);
}
