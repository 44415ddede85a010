#include "tests/support/async_test.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <stdexcept>

namespace sallyport::test {

void run(boost::asio::awaitable<void> body, std::chrono::seconds limit) {
  boost::asio::io_context loop(1);
  // A loop with timers waits in its reactor, where a post from another thread is over before it takes effect: without
  // them the poster would still touch the loop after the test has ended.
  boost::asio::steady_timer reactor(loop);
  std::optional<std::exception_ptr> outcome;
  boost::asio::co_spawn(loop, std::move(body), [&](std::exception_ptr fault) {
    outcome = fault;
    loop.stop();
  });
  loop.run_for(limit);
  if (!outcome) throw std::runtime_error("the test's coroutine did not end in time");
  if (*outcome) std::rethrow_exception(*outcome);
}

}  // namespace sallyport::test
