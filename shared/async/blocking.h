#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

namespace sallyport {

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work>> as_coroutine(Work work) {
  co_return work();
}

// Runs `work` on `pool` and resumes the caller on the caller's own executor. Cancelling the caller does NOT interrupt
// `work`, and the caller is not resumed before `work` has ended: give it a native limit of its own.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work>> run_blocking(boost::asio::thread_pool& pool, Work work) {
  namespace asio = boost::asio;
  auto uncancelled = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
  co_return co_await asio::co_spawn(pool, as_coroutine(std::move(work)), std::move(uncancelled));
}

}  // namespace sallyport
