#include "agent/link/websocket.h"

#include "shared/async/timeout.h"
#include "shared/tls/context.h"
#include "shared/tls/stream.h"
#include "shared/websocket/handshake.h"
#include "shared/websocket/stream.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <array>

namespace sallyport::agent {
namespace asio = boost::asio;
namespace {

asio::awaitable<Result<Bytes>> upgrade(ByteStream& stream, const WebAddress& to) {
  const auto key = websocket::new_key();
  const auto request = websocket_request(to, key);
  SP_CO_CHECK(co_await stream.write_all(as_bytes(request)));
  UpgradeAnswer answer(to, key);
  std::array<std::byte, 2048> chunk;
  for (;;) {
    auto count = co_await stream.read_some(chunk);
    if (!count) co_return in_context(to_string(to), std::move(count).error());
    if (*count == 0) co_return fail(Errc::unavailable, fmt::format("{} closed without an answer", to_string(to)));
    SP_CO_TRY(const bool open, answer.feed(std::span(chunk).first(*count)));
    if (open) co_return answer.rest();
  }
}

}  // namespace

asio::awaitable<Result<Carrier>> open_websocket(const Dialer& dialer, WebAddress to, const Clock& clock,
                                                SteadyTime deadline) {
  SP_CO_TRY(const auto context, tls::make_carrier_client_context(clock));
  SP_CO_TRY(auto socket, co_await dialer.dial(to.at, deadline));
  auto outside = co_await tls::connect_tls(std::move(socket), context, to.at.host, deadline);
  if (!outside) {
    co_return in_context(fmt::format("HTTPS with {} ({})", to_string(to.at), outside.error().reason),
                         std::move(outside.error().error));
  }
  std::unique_ptr<ByteStream> stream = *std::move(outside);
  auto shown = static_cast<tls::TlsStream&>(*stream).facts().peer_chain;
  auto first = co_await with_deadline(deadline, upgrade(*stream, to));
  if (!first && first.error().code == Errc::timed_out)
    co_return fail(Errc::timed_out, fmt::format("{} did not answer in time", to_string(to)));
  if (!first) co_return std::unexpected(std::move(first).error());
  const auto loop = co_await asio::this_coro::executor;
  co_return Carrier{websocket::make_stream(loop, std::move(stream), websocket::Side::client, *std::move(first)),
                    std::move(shown)};
}

}  // namespace sallyport::agent
