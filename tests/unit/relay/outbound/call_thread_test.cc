#include "relay/outbound/call_thread.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"

#include <future>
#include <thread>

using namespace sallyport;
using namespace sallyport::outbound;
using namespace std::chrono_literals;

namespace {

constexpr CallLimits kShort{.waiting = 2, .deadline = 50ms};
constexpr CallLimits kLong{.waiting = 2, .deadline = 30s};

// A library that is in a call until it is let go.
struct Gate {
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::promise<void> entered;
  CallThread::Work<int> work() {
    return [this](const CallThread::Call&) -> Result<int> {
      entered.set_value();
      opened.wait();
      return 1;
    };
  }
};

CallThread::Work<int> gives(int number) {
  return [number](const CallThread::Call&) -> Result<int> { return number; };
}

boost::asio::awaitable<void> keep(CallThread& calls, CallThread::Work<int> work, std::vector<Result<int>>& into) {
  auto result = co_await calls.run(std::move(work));
  into.push_back(std::move(result));
}

void no_fault(const std::string& task, const std::string& why) { FAIL(task << ": " << why); }

}  // namespace

ASYNC_TEST_CASE("calls take turns on another thread, and their results come home", "[outbound][call_thread]") {
  CallThread calls(kLong);
  const auto home = std::this_thread::get_id();
  std::thread::id first, second;
  auto one = co_await calls.run<int>([&first](const CallThread::Call&) -> Result<int> {
    first = std::this_thread::get_id();
    return 1;
  });
  auto two = co_await calls.run<std::string>([&second](const CallThread::Call&) -> Result<std::string> {
    second = std::this_thread::get_id();
    return fail(Errc::forbidden, "no");
  });
  CHECK(one == 1);
  REQUIRE(!two);
  CHECK(two.error() == Error{Errc::forbidden, "no"});
  CHECK(first == second);
  CHECK(first != home);
  CHECK(std::this_thread::get_id() == home);
}

ASYNC_TEST_CASE("the caller goes on at its deadline though the call hangs", "[outbound][call_thread]") {
  Gate gate;
  CallThread calls(kShort);
  auto hanging = co_await calls.run<int>(gate.work());
  REQUIRE(!hanging);
  CHECK(hanging.error() == Error{Errc::timed_out, "no answer within 50 ms"});
  auto behind = co_await calls.run<int>(gives(2));  // waits its turn in vain
  REQUIRE(!behind);
  CHECK(behind.error().code == Errc::timed_out);
  while (behind.error().code == Errc::timed_out) behind = co_await calls.run<int>(gives(3));
  CHECK(behind.error().code == Errc::unavailable);  // told at once, from a second after the deadline on
  CHECK(behind.error().message.find("restart the relay") != std::string::npos);
  gate.open.set_value();
  Result<int> after = fail(Errc::unavailable, "");
  while (!after) after = co_await calls.run<int>(gives(4));  // it came back, and so does the provider
  CHECK(after == 4);
}

ASYNC_TEST_CASE("no more wait than may", "[outbound][call_thread]") {
  Gate gate;
  CallThread calls(kLong);
  std::vector<Result<int>> results;
  TaskGroup group(co_await boost::asio::this_coro::executor, no_fault);
  group.spawn("running", keep(calls, gate.work(), results));
  co_await sleep_for(0ms);
  gate.entered.get_future().wait();
  group.spawn("waits", keep(calls, gives(2), results));
  group.spawn("waits too", keep(calls, gives(3), results));
  co_await sleep_for(0ms);
  auto refused = co_await calls.run<int>(gives(4));
  REQUIRE(!refused);
  CHECK(refused.error() == Error{Errc::exhausted, "2 calls are waiting already; try again later"});
  gate.open.set_value();
  co_await group.join();
  CHECK(results == std::vector<Result<int>>{1, 2, 3});
}

ASYNC_TEST_CASE("a cancelled caller gives its place back, and its call is not begun", "[outbound][call_thread]") {
  Gate gate;
  CallThread calls(kLong);
  std::vector<Result<int>> results, given_up;
  bool begun = false;
  const auto executor = co_await boost::asio::this_coro::executor;
  TaskGroup group(executor, no_fault), leaving(executor, no_fault);
  group.spawn("running", keep(calls, gate.work(), results));
  co_await sleep_for(0ms);
  gate.entered.get_future().wait();
  for (int i = 0; i < 2; ++i) {
    auto work = [&begun](const CallThread::Call&) -> Result<int> {
      begun = true;
      return 0;
    };
    leaving.spawn("waits", keep(calls, std::move(work), given_up));
  }
  co_await sleep_for(0ms);
  leaving.stop();
  co_await leaving.join();
  REQUIRE(given_up.size() == 2);
  CHECK(given_up[0].error().code == Errc::cancelled);
  group.spawn("has the place", keep(calls, gives(2), results));
  co_await sleep_for(0ms);
  gate.open.set_value();
  co_await group.join();
  CHECK(results == std::vector<Result<int>>{1, 2});
  CHECK(!begun);
}

ASYNC_TEST_CASE("a call learns that nobody waits for it", "[outbound][call_thread]") {
  CallThread calls(kShort);
  auto learned = std::make_shared<std::promise<bool>>();
  auto noticed = learned->get_future();
  auto result = co_await calls.run<int>([learned](const CallThread::Call& call) -> Result<int> {
    while (!call.given_up()) std::this_thread::yield();
    learned->set_value(std::chrono::steady_clock::now() >= call.deadline());
    return 1;
  });
  CHECK(!result);
  CHECK(noticed.get());
}

ASYNC_TEST_CASE("what throws is an error, and the thread goes on", "[outbound][call_thread]") {
  CallThread calls(kLong);
  auto broken = co_await calls.run<int>([](const CallThread::Call&) -> Result<int> { throw std::bad_alloc(); });
  REQUIRE(!broken);
  CHECK(broken.error() == Error{Errc::internal, "the call broke off"});
  auto after = co_await calls.run<int>(gives(2));
  CHECK(after == 2);
}

TEST_CASE("a thread that hangs is left behind with what its call owns", "[outbound][call_thread]") {
  auto gate = std::make_shared<Gate>();
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = owned;
  auto gone = std::make_shared<std::promise<int>>();
  auto last_words = gone->get_future();
  test::run([](std::shared_ptr<Gate> hangs, std::shared_ptr<int> data,
               std::shared_ptr<std::promise<int>> said) -> boost::asio::awaitable<void> {
    CallThread calls(kShort);
    auto result = co_await calls.run<int>([hangs, data, said](const CallThread::Call&) -> Result<int> {
      hangs->opened.wait();
      said->set_value(*data);
      return 1;
    });
    CHECK(!result);
  }(gate, std::move(owned), gone));
  CHECK(!watched.expired());  // the loop and the provider are gone, the call still has its own
  gate->open.set_value();
  CHECK(last_words.get() == 7);
}
