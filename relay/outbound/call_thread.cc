#include "relay/outbound/call_thread.h"

#include "shared/async/event.h"

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace sallyport::outbound {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::seconds kGrace{1};

}  // namespace

// One call from its arrival to its end. `waiter` is touched on the caller's executor only, the rest under the lock.
struct CallThread::Turn {
  Call call;
  std::move_only_function<void(const Call&)> work;
  asio::any_io_executor executor;  // of the caller; empty once it has gone on
  Event* waiter = nullptr;
};

struct CallThread::State {
  // Runs on the thread. What a call threw is an outcome that is missing.
  void serve() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return stopping || !waiting.empty(); });
      if (stopping) break;
      running = std::move(waiting.front());
      waiting.pop_front();
      const auto turn = running;
      lock.unlock();
      perform(*turn);
      lock.lock();
      running.reset();
      // Under the lock: a caller cannot go on, and its loop end, while it is told.
      if (turn->executor)
        asio::post(turn->executor, [turn] { turn->waiter != nullptr ? turn->waiter->set() : void(); });
    }
    ended = true;
    over.notify_all();
  }

  static void perform(Turn& turn) {
    try {
      turn.work(turn.call);
    } catch (...) {  // NOLINT(bugprone-empty-catch): run() says so
    }
    turn.work = nullptr;  // with the keys in it
  }

  bool hangs() const { return running && std::chrono::steady_clock::now() > running->call.deadline_ + kGrace; }

  // The only lock of its kind: the library that is called knows no executor, and may never come back.
  std::mutex mutex;
  std::condition_variable wake, over;
  std::deque<std::shared_ptr<Turn>> waiting;
  std::shared_ptr<Turn> running;
  bool stopping = false;
  bool ended = false;
  std::thread thread;
};

// A caller's place, given back when it goes on.
class CallThread::Waiter {
 public:
  Waiter(State& state, Event& event, asio::any_io_executor executor) : state_(state), turn_(std::make_shared<Turn>()) {
    turn_->executor = std::move(executor);
    turn_->waiter = &event;
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    const std::lock_guard lock(state_.mutex);
    turn_->call.given_up_ = true;
    turn_->executor = {};
    turn_->waiter = nullptr;
    std::erase(state_.waiting, turn_);
  }

  Result<void> line_up(const CallLimits& limits, std::move_only_function<void(const Call&)> work) {
    const std::lock_guard lock(state_.mutex);
    if (state_.hangs()) {
      return fail(Errc::unavailable, "it has not come back from an earlier call; if it never does, restart the relay");
    }
    if (state_.waiting.size() >= limits.waiting) {
      return fail(Errc::exhausted, fmt::format("{} calls are waiting already; try again later", state_.waiting.size()));
    }
    turn_->work = std::move(work);
    turn_->call.deadline_ = std::chrono::steady_clock::now() + limits.deadline;
    state_.waiting.push_back(turn_);
    state_.wake.notify_one();
    return {};
  }
  SteadyTime deadline() const { return turn_->call.deadline_; }

 private:
  State& state_;
  std::shared_ptr<Turn> turn_;
};

CallThread::CallThread(CallLimits limits) : limits_(limits), state_(std::make_shared<State>()) {
  state_->thread = std::thread([state = state_] { state->serve(); });
}

CallThread::~CallThread() {
  std::thread thread = std::move(state_->thread);
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->wake.notify_one();
  auto patience = std::chrono::steady_clock::now();
  if (state_->running) {
    state_->running->call.given_up_ = true;
    patience = std::max(patience, state_->running->call.deadline_);
  }
  const bool ended = state_->over.wait_until(lock, patience + kGrace, [this] { return state_->ended; });
  lock.unlock();
  ended ? thread.join() : thread.detach();
}

bool CallThread::is_stuck() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running && std::chrono::steady_clock::now() > state_->running->call.deadline_;
}

asio::awaitable<Result<void>> CallThread::perform(std::move_only_function<void(const Call&)> work) {
  const auto executor = co_await asio::this_coro::executor;
  Event done(executor);
  Waiter waiter(*state_, done, executor);
  SP_CO_CHECK(waiter.line_up(limits_, std::move(work)));
  co_await done.wait_until(waiter.deadline());
  if (done.is_set()) co_return Result<void>();
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return fail(Errc::cancelled, "cancelled");
  co_return fail(Errc::timed_out, fmt::format("no answer within {} ms", limits_.deadline.count()));
}

}  // namespace sallyport::outbound
