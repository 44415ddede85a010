#pragma once

#include "shared/async/blocking.h"
#include "shared/async/event.h"
#include "shared/base/result.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>

namespace sallyport {

struct FairPoolLimits {
  std::size_t threads = 2;
  std::size_t running_per_owner = 1;
  std::size_t waiting_per_owner = 8;
  std::size_t waiting = 64;                    // of all owners together
  std::chrono::milliseconds patience{10'000};  // how long work waits for its turn
};

// Runs CPU-bound work of many owners beside the loop, on threads of its own. Owners take turns: one who has had a
// thread goes behind all others who wait, so that nobody waits for more than one piece of work of each other owner for
// every piece of its own. Everything but the work itself happens on `executor` (a loop with one thread). Every run()
// has ended before it dies.
class FairPool {
 public:
  FairPool(boost::asio::any_io_executor executor, FairPoolLimits limits)
      : executor_(std::move(executor)), limits_(limits), threads_(limits.threads) {}

  // What `work()` gives. Cancelling a run() that waits gives its place back; work that has begun ends first. Errors:
  // exhausted (`owner`, or all owners together, have as much waiting as they may, or the turn did not come in time; the
  // work was not begun), cancelled.
  template <class Work>
  boost::asio::awaitable<Result<std::invoke_result_t<Work>>> run(std::string owner, Work work) {
    Turn turn(*this, std::move(owner));
    SP_CO_CHECK(co_await turn.come());
    co_return co_await run_blocking(threads_, std::move(work));
  }

  std::size_t waiting() const { return waiting_; }
  std::size_t running() const { return running_; }

 private:
  class Turn;
  struct Line {  // of one owner; there while it has anything here
    std::string owner;
    std::list<Turn*> waiting;  // in order of arrival
    std::size_t running = 0;
  };
  using Lines = std::list<Line>;

  // One run(), from its arrival to its end.
  class Turn {
   public:
    Turn(FairPool& pool, std::string owner) : pool_(pool), owner_(std::move(owner)), called_(pool.executor_) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();
    boost::asio::awaitable<Result<void>> come();

   private:
    friend class FairPool;
    Result<void> line_up();

    FairPool& pool_;
    std::string owner_;
    Event called_;  // it runs
    std::optional<Lines::iterator> line_;
    std::list<Turn*>::iterator at_;  // while it waits
  };

  void call_next();

  boost::asio::any_io_executor executor_;
  FairPoolLimits limits_;
  Lines lines_;  // who was called longest ago comes first
  std::size_t waiting_ = 0;
  std::size_t running_ = 0;
  boost::asio::thread_pool threads_;
};

}  // namespace sallyport
