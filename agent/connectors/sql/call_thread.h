#pragma once

#include "shared/base/clock.h"

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>

namespace sallyport::connectors::sql {

// Calls that have not come back, of all sessions with one database.
using LeftBehind = std::shared_ptr<std::atomic<int>>;

// Runs calls of a library that may hang, one at a time, on a thread of its own. Nobody waits for one longer than he
// likes: a call that does not come back is left behind with its thread and with all that it holds, which it therefore
// owns. Used by one thread at a time.
class CallThread {
 public:
  explicit CallThread(LeftBehind left_behind);
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;
  ~CallThread();  // waits for nothing but a thread that is idle

  // Only when no call is under way.
  void start(std::function<void()> call);
  // Whether it came back before `until` and before a stop.
  bool wait(SteadyTime until, const std::stop_token& stop);
  bool is_busy() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sallyport::connectors::sql
