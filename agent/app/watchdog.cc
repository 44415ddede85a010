#include "agent/app/watchdog.h"

#include "shared/async/timeout.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::app {
namespace asio = boost::asio;

asio::awaitable<void> feed_watchdog(ProveAlive prove_alive, const platform::ServiceHost& host) {
  const auto limit = host.watchdog();
  if (!limit) co_return;
  const auto interval = *limit / 2;
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    if (co_await prove_alive()) host.feed_watchdog();
    co_await sleep_for(interval);
  }
}

}  // namespace sallyport::app
