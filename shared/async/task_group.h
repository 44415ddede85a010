#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>

namespace sallyport {

// Owns every coroutine started through it: none outlives the group, and what an exception that leaves one says reaches
// `on_fault`. All members must be called on the group's executor (a strand, or a loop with one thread).
class TaskGroup {
 public:
  using OnFault = std::function<void(const std::string& task, const std::string& why)>;

  TaskGroup(const boost::asio::any_io_executor& executor, OnFault on_fault);
  ~TaskGroup();  // join() must have ended; otherwise the process aborts

  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(std::string name, boost::asio::awaitable<void> task);  // after stop(): the task never starts
  void stop();                                                      // asks every task to end; returns at once
  boost::asio::awaitable<void> join();  // returns when none is left; a cancel of the joiner waits for that
  std::size_t size() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sallyport
