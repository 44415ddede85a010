#include "agent/connectors/sql/call_thread.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace sallyport::connectors::sql {

struct CallThread::State {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::function<void()> call;
  bool busy = false, ended = false, counted = false;
  LeftBehind left_behind;
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return busy || ended; });
      if (!busy) return;
      lock.unlock();
      std::exchange(call, nullptr)();
      lock.lock();
      busy = false;
      if (std::exchange(counted, false)) --*left_behind;
      changed.notify_all();
    }
  }
};

CallThread::CallThread(LeftBehind left_behind) : state_(std::make_shared<State>()) {
  state_->left_behind = std::move(left_behind);
  state_->thread = std::thread([state = state_] { state->run(); });
}

CallThread::~CallThread() {
  std::unique_lock lock(state_->mutex);
  state_->ended = true;
  const bool hangs = state_->busy;
  if (hangs) {
    state_->counted = true;
    ++*state_->left_behind;
  }
  auto thread = std::move(state_->thread);
  lock.unlock();
  state_->changed.notify_all();
  hangs ? thread.detach() : thread.join();
}

void CallThread::start(std::function<void()> call) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->call = std::move(call);
    state_->busy = true;
  }
  state_->changed.notify_all();
}

bool CallThread::wait(SteadyTime until, const std::stop_token& stop) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, stop, until, [this] { return !state_->busy; });
}

bool CallThread::is_busy() const {
  const std::lock_guard lock(state_->mutex);
  return state_->busy;
}

}  // namespace sallyport::connectors::sql
