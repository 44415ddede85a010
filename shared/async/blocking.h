#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <stop_token>
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

// The same for work that looks at a std::stop_token: cancelling the caller asks it to stop. The caller is still not
// resumed before it has ended.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work, std::stop_token>> run_stoppable(boost::asio::thread_pool& pool,
                                                                                  Work work) {
  namespace asio = boost::asio;
  using Outcome = std::optional<std::invoke_result_t<Work, std::stop_token>>;
  const auto begin = [&pool](auto resume, Work asked) {
    std::stop_source stop;
    auto cancelled = asio::get_associated_cancellation_slot(resume);
    if (cancelled.is_connected()) cancelled.assign([stop](asio::cancellation_type) mutable { stop.request_stop(); });
    auto home = asio::prefer(asio::get_associated_executor(resume), asio::execution::outstanding_work.tracked);
    asio::post(pool, [stop, cancelled, home, asked = std::move(asked), resume = std::move(resume)]() mutable {
      Outcome outcome;
      std::exception_ptr fault;
      try {
        outcome.emplace(asked(stop.get_token()));
      } catch (...) {
        fault = std::current_exception();
      }
      asio::post(home, [cancelled, fault, outcome = std::move(outcome), resume = std::move(resume)]() mutable {
        if (cancelled.is_connected()) cancelled.clear();
        std::move(resume)(fault, std::move(outcome));
      });
    });
  };
  auto outcome = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::exception_ptr, Outcome)>(
      begin, asio::use_awaitable, std::move(work));
  co_return *std::move(outcome);  // NOLINT(bugprone-unchecked-optional-access): without one a fault was thrown
}

}  // namespace sallyport
