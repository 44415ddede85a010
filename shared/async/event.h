#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>

namespace sallyport {

// A flag that coroutines on one executor can wait for. Not thread-safe: use it on its executor only.
// wait() also returns when the waiter is cancelled or the deadline passes; is_set() tells which it was.
class Event {
 public:
  explicit Event(boost::asio::any_io_executor executor);
  ~Event();
  void set();
  void clear();
  bool is_set() const;
  boost::asio::awaitable<void> wait();
  boost::asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with waiters, so that the owner may die before they wake
};

}  // namespace sallyport
