#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace sallyport::outbound {

struct CallLimits {
  std::size_t waiting = 64;  // calls beside the one that runs
  std::chrono::milliseconds deadline{10'000};
};

// A thread on which the blocking calls to one provider take turns. The caller goes on at its deadline at the latest,
// whatever the call does: so a library that hangs costs this thread and nothing else. Every run() has ended before it
// dies; its callers' executors are not touched once they have gone on.
class CallThread {
 public:
  // One call, as the thread sees it.
  class Call {
   public:
    SteadyTime deadline() const { return deadline_; }
    // Nobody waits for it any more: it ends as soon as it can.
    bool given_up() const { return given_up_.load(std::memory_order_relaxed); }

   private:
    friend class CallThread;
    SteadyTime deadline_;
    std::atomic<bool> given_up_ = false;
  };
  template <class T>
  using Work = std::move_only_function<Result<T>(const Call&)>;

  explicit CallThread(CallLimits limits);
  // Tells the call that runs to give up and waits for its end, at most until its deadline and a second more. A thread
  // that hangs even then is left behind, with what its call owns: `work` must own all that it uses.
  ~CallThread();
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  // A call is not back at its deadline.
  bool is_stuck() const;

  // What `work` gives. Errors: exhausted (too many wait; not begun), timed_out, cancelled, unavailable (a call before
  // this one hangs for more than a second after its deadline).
  template <class T>
  boost::asio::awaitable<Result<T>> run(Work<T> work) {
    auto outcome = std::make_shared<std::optional<Result<T>>>();
    SP_CO_CHECK(co_await perform(
        [outcome, work = std::move(work)](const Call& call) mutable { outcome->emplace(work(call)); }));
    std::optional<Result<T>>& result = *outcome;
    if (!result) co_return fail(Errc::internal, "the call broke off");
    co_return *std::move(result);
  }

 private:
  struct State;
  struct Turn;
  class Waiter;
  boost::asio::awaitable<Result<void>> perform(std::move_only_function<void(const Call&)> work);

  const CallLimits limits_;
  std::shared_ptr<State> state_;  // with the thread, which may outlive this
};

}  // namespace sallyport::outbound
