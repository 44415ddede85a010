#pragma once

#include "relay/jobs/wire.h"
#include "shared/async/event.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <list>
#include <vector>

namespace sallyport::gateway {

// What an agent has reported and the store does not hold yet, oldest first; bounded, so that a slow store stops the
// reading of the link and nothing piles up. One coroutine puts, one takes; lives on the session's loop and outlives
// both. Each wait ends by cancellation only.
class ReportQueue {
 public:
  static constexpr std::size_t kMaxReports = 512;
  static constexpr std::size_t kMaxBytes = 8u << 20;
  static constexpr std::size_t kAtOnce = 256;

  explicit ReportQueue(const boost::asio::any_io_executor& executor) : arrived_(executor), drained_(executor) {}

  // Waits for room; the last one in may be larger than what is left. `bytes`: of its message.
  boost::asio::awaitable<void> put(jobs::Report report, std::size_t bytes);
  // Waits for the first; gives the oldest, at most kAtOnce. They stay until stored(): asked again, the same come again.
  boost::asio::awaitable<std::vector<jobs::Report>> oldest();
  // The oldest `count` are durable.
  void stored(std::size_t count);

  std::size_t size() const { return reports_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Arrived {
    jobs::Report report;
    std::size_t bytes;
  };

  std::list<Arrived> reports_;
  std::size_t bytes_ = 0;
  Event arrived_;
  Event drained_;
};

}  // namespace sallyport::gateway
