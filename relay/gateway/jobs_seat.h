#pragma once

#include "shared/async/event.h"
#include "shared/base/ids.h"

#include <functional>
#include <map>
#include <memory>

namespace sallyport::gateway {

// Who serves the jobs channel of which agent: one link at a time (docs/protocol.md P13.1). Lives on the relay's loop
// and outlives every JobsSeat.
class JobsSeats {
 public:
  std::size_t agents() const { return newest_.size(); }  // somebody has the seat, or waits for it

 private:
  friend class JobsSeat;
  struct Turn {
    Turn(const boost::asio::any_io_executor& executor, std::shared_ptr<Turn> former)
        : left(executor), before(std::move(former)) {}
    Event left;
    std::shared_ptr<Turn> before;  // nullptr once that one has left
    std::function<void()> make_way;
  };
  std::map<AgentId, std::shared_ptr<Turn>> newest_;
};

// The wish for the seat, and the seat until it dies. Whoever wishes it last gets it: the one before is asked to make
// way, and the newcomer waits until it has left, so that what two channels of one agent bring is never acted upon at
// the same time.
class JobsSeat {
 public:
  // `make_way` is called at most once, when a newer one comes; then the seat is to be left soon.
  JobsSeat(JobsSeats& seats, const boost::asio::any_io_executor& executor, AgentId agent,
           std::function<void()> make_way);
  JobsSeat(const JobsSeat&) = delete;
  JobsSeat& operator=(const JobsSeat&) = delete;
  ~JobsSeat();

  // Until everybody before has left; returns early when cancelled, with false.
  boost::asio::awaitable<bool> taken();

 private:
  JobsSeats& seats_;
  AgentId agent_;
  std::shared_ptr<JobsSeats::Turn> turn_;
};

}  // namespace sallyport::gateway
