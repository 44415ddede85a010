#pragma once

#include "relay/store/sqlite/database.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <mutex>
#include <span>
#include <vector>

namespace sallyport::store::sqlite {

// Work on a connection. May be run more than once (a shared commit that failed is tried again without its culprit), so
// it must not consume what it captured.
using Work = std::function<Result<void>(Database&)>;

struct Call {
  Work work;
  std::move_only_function<void(Result<void>)> resume;  // posts to the caller's executor
  Result<void> outcome;
};

struct LaneLimits {
  std::size_t max_queued = 4096;
  std::size_t max_batch = 256;
  std::chrono::milliseconds read_time{5000};  // a read that takes longer is given up, so that the others go on
};

// One thread with one connection. Callers on any executor hand in work and are resumed on their own executor with its
// outcome. Everything that was queued while a batch ran becomes the next batch.
class Lane {
 public:
  // Both run on the lane's thread.
  struct Tasks {
    std::function<void(Database&, std::span<Call>)> run_batch;  // gives every call its outcome
    std::function<void(Database&)> after_batch;                 // when the callers have been answered; may be empty
  };

  Lane(Database database, Tasks tasks, LaneLimits limits);
  ~Lane();  // refuses new calls, ends those that wait, joins the thread

  // Errc::exhausted at once when max_queued calls wait; Errc::unavailable when the lane closes.
  // Cancelling the caller does not interrupt the work, and the caller is not resumed before it has ended.
  boost::asio::awaitable<Result<void>> submit(Work work);

 private:
  Result<void> enqueue(Call& call);
  void run_waiting();

  Database database_;
  Tasks tasks_;
  LaneLimits limits_;
  std::mutex mutex_;  // guards the two below: the one place where threads meet
  std::vector<Call> waiting_;
  bool closing_ = false;
  boost::asio::thread_pool thread_{1};
};

// One transaction for all calls, each under its own savepoint: a call that fails is undone alone. When the whole
// transaction is lost, those that did not cause it are run again.
void commit_as_group(Database& database, std::span<Call> calls);

// Each call on a snapshot of its own, and for no longer than `most`.
void read_each(Database& database, std::span<Call> calls, std::chrono::milliseconds most);

}  // namespace sallyport::store::sqlite
