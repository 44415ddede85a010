#include "shared/async/timeout.h"

namespace sallyport {
namespace asio = boost::asio;

asio::awaitable<void> sleep_until(std::chrono::steady_clock::time_point deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> sleep_for(std::chrono::steady_clock::duration length) {
  return sleep_until(std::chrono::steady_clock::now() + length);
}

}  // namespace sallyport
