#include "shared/async/accept.h"

#include "shared/async/timeout.h"

namespace sallyport {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr auto kAfterFailure = std::chrono::milliseconds(100);
}

asio::awaitable<std::optional<Accepted>> Acceptance::next(tcp::acceptor& from) {
  tcp::endpoint peer;
  auto [failed, socket] = co_await from.async_accept(peer, asio::as_tuple(asio::use_awaitable));
  if (!failed) co_return Accepted{std::move(socket), std::move(peer)};
  if (failed == asio::error::operation_aborted) co_return std::nullopt;
  if (const auto times = failures_.due(std::chrono::steady_clock::now())) tell_(failed.message(), *times);
  co_await sleep_for(kAfterFailure);
  co_return std::nullopt;
}

}  // namespace sallyport
