#pragma once

#include "shared/base/result.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

namespace sallyport {

// Runs `op` until `deadline` at most. `op` must report failure as a value: the `||` operator waits for a *success*, so
// a throwing `op` would hide behind the timer. Returns only after `op` has really ended.
template <class T>
boost::asio::awaitable<Result<T>> with_deadline(std::chrono::steady_clock::time_point deadline,
                                                boost::asio::awaitable<Result<T>> op) {
  namespace asio = boost::asio;
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  auto first = co_await (std::move(op) || timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  if (std::get<0>(std::get<1>(first))) co_return fail(Errc::cancelled, "cancelled");
  co_return fail(Errc::timed_out, "timed out");
}

template <class T>
boost::asio::awaitable<Result<T>> with_timeout(std::chrono::steady_clock::duration limit,
                                               boost::asio::awaitable<Result<T>> op) {
  return with_deadline(std::chrono::steady_clock::now() + limit, std::move(op));
}

// Waits; ends early (without an error) when the caller is cancelled.
boost::asio::awaitable<void> sleep_until(std::chrono::steady_clock::time_point deadline);
boost::asio::awaitable<void> sleep_for(std::chrono::steady_clock::duration length);

}  // namespace sallyport
