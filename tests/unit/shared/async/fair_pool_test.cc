#include "shared/async/fair_pool.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>

#include <functional>
#include <mutex>
#include <semaphore>
#include <thread>
#include <vector>

using namespace sallyport;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using Outcomes = std::vector<std::pair<std::string, Result<std::string>>>;  // in the order in which they ended

// A pool whose work waits until it is let go, piece by piece.
struct Bench {
  Bench(asio::any_io_executor executor, FairPoolLimits limits)
      : pool(executor, limits), tasks(executor, [](auto& task, auto& why) { FAIL_CHECK(task << ": " << why); }) {}

  asio::awaitable<void> work(std::string owner, std::string name) {
    auto outcome = co_await pool.run(owner, [this, name] {
      {
        const std::scoped_lock held(mutex);
        begun.push_back(name);
      }
      go.acquire();
      return name;
    });
    ended.emplace_back(name, std::move(outcome));
  }
  void start(const std::string& owner, const std::string& name) { tasks.spawn(name, work(owner, name)); }
  void let_go(int pieces) { go.release(pieces); }
  std::vector<std::string> begun_so_far() {
    const std::scoped_lock held(mutex);
    return begun;
  }
  asio::awaitable<void> wait_until(std::function<bool()> holds) {
    for (int i = 0; i < 20'000 && !holds(); ++i) co_await sleep_for(1ms);
    if (!holds()) throw std::runtime_error("waited in vain");
  }
  // Whatever an assertion did before: nothing may be left that waits.
  asio::awaitable<void> finish() {
    let_go(1'000);
    co_await tasks.join();
  }
  const Result<std::string>& of(const std::string& name) const {
    for (const auto& [one, outcome] : ended) {
      if (one == name) return outcome;
    }
    throw std::runtime_error(name + " has not ended");
  }

  std::mutex mutex;
  std::vector<std::string> begun;
  std::counting_semaphore<> go{0};
  FairPool pool;
  Outcomes ended;
  TaskGroup tasks;
};

using Names = std::vector<std::string>;

}  // namespace

ASYNC_TEST_CASE("work runs on a thread of its own and its caller goes on on the loop", "[async][pool]") {
  FairPool pool(co_await asio::this_coro::executor, {});
  const auto loop = std::this_thread::get_id();
  const auto where = co_await pool.run("a", [] { return std::this_thread::get_id(); });
  REQUIRE(where.has_value());
  CHECK(*where != loop);
  CHECK(std::this_thread::get_id() == loop);
  CHECK(pool.running() == 0);
  CHECK(pool.waiting() == 0);
}

ASYNC_TEST_CASE("one owner has one thread, and the others are left to the next ones", "[async][pool]") {
  Bench bench(co_await asio::this_coro::executor, {.threads = 2});
  for (const auto* name : {"a1", "a2", "a3"}) bench.start("a", name);
  co_await bench.wait_until([&] { return bench.begun_so_far().size() == 1; });
  CHECK(bench.pool.waiting() == 2);
  bench.start("b", "b1");
  co_await bench.wait_until([&] { return bench.begun_so_far() == Names{"a1", "b1"}; });
  CHECK(bench.pool.running() == 2);
  co_await bench.finish();
  CHECK(bench.ended.size() == 4);
}

ASYNC_TEST_CASE("owners take turns, however much one of them has waiting", "[async][pool]") {
  Bench bench(co_await asio::this_coro::executor, {.threads = 1});
  for (const auto* name : {"a1", "a2", "a3", "a4"}) bench.start("a", name);
  co_await bench.wait_until([&] { return bench.pool.waiting() == 3; });
  bench.start("b", "b1");
  bench.start("c", "c1");
  bench.start("b", "b2");
  co_await bench.wait_until([&] { return bench.pool.waiting() == 6; });
  co_await bench.finish();
  CHECK(bench.begun == Names{"a1", "a2", "b1", "c1", "a3", "b2", "a4"});
}

ASYNC_TEST_CASE("what waits is bounded, for each owner and for all together", "[async][pool]") {
  Bench bench(co_await asio::this_coro::executor,
              {.threads = 1, .running_per_owner = 1, .waiting_per_owner = 2, .waiting = 3, .patience = 60s});
  for (const auto* name : {"a1", "a2", "a3", "a4"}) bench.start("a", name);
  co_await bench.wait_until([&] { return bench.ended.size() == 1; });
  CHECK(bench.of("a4").error().code == Errc::exhausted);
  CHECK(bench.of("a4").error().message.find("of yours") != std::string::npos);
  bench.start("b", "b1");
  bench.start("c", "c1");
  co_await bench.wait_until([&] { return bench.ended.size() == 2; });
  CHECK(bench.of("c1").error().code == Errc::exhausted);
  CHECK(bench.of("c1").error().message.find("all callers") != std::string::npos);
  bench.let_go(4);
  co_await bench.wait_until([&] { return bench.ended.size() == 6; });
  for (const auto* name : {"a1", "a2", "a3", "b1"}) CHECK(bench.of(name) == std::string(name));
  co_await bench.finish();
}

ASYNC_TEST_CASE("a cancelled run gives its place back and does no work", "[async][pool]") {
  auto executor = co_await asio::this_coro::executor;
  Bench bench(executor, {.threads = 1, .running_per_owner = 1, .waiting_per_owner = 1});
  bench.start("a", "a1");
  co_await bench.wait_until([&] { return bench.pool.running() == 1; });
  TaskGroup leaving(executor, [](auto& task, auto& why) { FAIL_CHECK(task << ": " << why); });
  leaving.spawn("a2", bench.work("a", "a2"));
  co_await bench.wait_until([&] { return bench.pool.waiting() == 1; });
  leaving.stop();
  co_await leaving.join();
  CHECK(bench.of("a2").error().code == Errc::cancelled);
  CHECK(bench.pool.waiting() == 0);
  bench.start("a", "a3");
  co_await bench.wait_until([&] { return bench.pool.waiting() == 1; });
  co_await bench.finish();
  CHECK(bench.begun == Names{"a1", "a3"});
  CHECK(bench.of("a3") == std::string("a3"));
}

ASYNC_TEST_CASE("a run that is cancelled at work ends with it and gives its thread back", "[async][pool]") {
  auto executor = co_await asio::this_coro::executor;
  Bench bench(executor, {.threads = 1});
  TaskGroup leaving(executor, [](auto&, auto&) {});
  leaving.spawn("a1", bench.work("a", "a1"));
  co_await bench.wait_until([&] { return bench.begun_so_far().size() == 1; });
  leaving.stop();
  co_await sleep_for(1ms);
  CHECK(bench.pool.running() == 1);
  bench.let_go(1);
  co_await leaving.join();
  CHECK(bench.pool.running() == 0);
  bench.start("a", "a2");
  co_await bench.finish();
  CHECK(bench.of("a2") == std::string("a2"));
}

ASYNC_TEST_CASE("who waits too long for a turn is told so", "[async][pool]") {
  Bench bench(co_await asio::this_coro::executor,
              {.threads = 1, .running_per_owner = 1, .waiting_per_owner = 8, .waiting = 64, .patience = 5ms});
  bench.start("a", "a1");
  bench.start("b", "b1");
  co_await bench.wait_until([&] { return bench.ended.size() == 1; });
  CHECK(bench.of("b1").error().code == Errc::exhausted);
  CHECK(bench.of("b1").error().message.find("in time") != std::string::npos);
  CHECK(bench.pool.waiting() == 0);
  co_await bench.finish();
}

ASYNC_TEST_CASE("work that throws throws at its caller, and the pool goes on", "[async][pool]") {
  FairPool pool(co_await asio::this_coro::executor, {.threads = 1});
  std::string said;
  try {
    co_await pool.run("a", []() -> int { throw std::runtime_error("planted"); });
  } catch (const std::runtime_error& fault) {
    said = fault.what();
  }
  CHECK(said == "planted");
  CHECK(pool.running() == 0);
  const auto next = co_await pool.run("a", [] { return 7; });
  CHECK(next == 7);
}
