#include "tests/support/async_test.h"

#include <fmt/format.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace sallyport::test {

namespace {

// After the limit a test's coroutine is cancelled, so that it leaves its frames in order: what they own, threads among
// it, must not outlive the loop. One that stays even so ends the program, because nothing can be taken away under it.
constexpr std::chrono::seconds kToLeave{30};

[[noreturn]] void give_up(std::chrono::seconds limit) {
  fmt::print(stderr, "the test's coroutine did not end within {} s, nor within {} s of being cancelled\n",
             limit.count(), kToLeave.count());
  std::fflush(stderr);
  std::abort();
}

}  // namespace

void run(boost::asio::awaitable<void> body, std::chrono::seconds limit) {
  namespace asio = boost::asio;
  std::optional<std::exception_ptr> outcome;
  asio::cancellation_signal cancel;
  asio::io_context loop(1);
  // A loop with timers waits in its reactor, where a post from another thread is over before it takes effect: without
  // them the poster would still touch the loop after the test has ended.
  asio::steady_timer reactor(loop);
  asio::co_spawn(loop, std::move(body),
                 asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& fault) {
                   outcome = fault;
                   loop.stop();
                 }));
  loop.run_for(limit);
  if (!outcome) {
    asio::post(loop, [&] { cancel.emit(asio::cancellation_type::all); });
    loop.restart();
    loop.run_for(kToLeave);
    if (!outcome) give_up(limit);
    throw std::runtime_error(fmt::format("the test's coroutine did not end within {} s", limit.count()));
  }
  if (*outcome) std::rethrow_exception(*outcome);
}

}  // namespace sallyport::test
