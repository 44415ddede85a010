#pragma once

#include "shared/async/fault.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <utility>

namespace sallyport {

template <class T>
boost::asio::awaitable<void> keep_outcome(Result<T>& outcome, boost::asio::awaitable<Result<T>> task) {
  outcome = co_await std::move(task);
}

// Runs `task` on `loop` until neither it nor anything else on the loop has work left, and returns what it gave.
// An exception that leaves it is Errc::internal: "`what` broke off: ...".
template <class T>
Result<T> run_to_end(boost::asio::io_context& loop, boost::asio::awaitable<Result<T>> task, const std::string& what) {
  Result<T> outcome = fail(Errc::internal, what + " did not come to an end");
  boost::asio::co_spawn(loop, keep_outcome(outcome, std::move(task)), [&](const std::exception_ptr& fault) {
    if (fault) outcome = fail(Errc::internal, what + " broke off: " + fault_text(fault));
  });
  loop.run();
  return outcome;
}

}  // namespace sallyport
