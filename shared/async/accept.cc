#include "shared/async/accept.h"

#include "shared/async/timeout.h"

namespace sallyport {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr auto kAfterFailure = std::chrono::milliseconds(100);
constexpr std::size_t kInARow = 32;
}  // namespace

// What fails here fails again, and is told, in next().
std::optional<Accepted> Acceptance::next_that_waits(tcp::acceptor& from) {
  if (in_a_row_ >= kInARow) return std::nullopt;
  boost::system::error_code failed;
  if (!from.non_blocking()) from.non_blocking(true, failed);
  if (failed) return std::nullopt;
  tcp::endpoint peer;
  auto socket = from.accept(peer, failed);
  if (failed) return std::nullopt;
  ++in_a_row_;
  return Accepted{std::move(socket), std::move(peer)};
}

asio::awaitable<std::optional<Accepted>> Acceptance::next(tcp::acceptor& from) {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return std::nullopt;
  if (auto waiting = next_that_waits(from)) co_return waiting;
  in_a_row_ = 0;
  tcp::endpoint peer;
  auto [failed, socket] = co_await from.async_accept(peer, asio::as_tuple(asio::use_awaitable));
  if (!failed) co_return Accepted{std::move(socket), std::move(peer)};
  if (failed == asio::error::operation_aborted) co_return std::nullopt;
  if (const auto times = failures_.due(std::chrono::steady_clock::now())) tell_(failed.message(), *times);
  co_await sleep_for(kAfterFailure);
  co_return std::nullopt;
}

}  // namespace sallyport
