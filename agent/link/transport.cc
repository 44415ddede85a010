#include "agent/link/transport.h"

#include "shared/tls/context.h"
#include "shared/tls/socket.h"
#include "shared/tls/stream.h"

#include <fmt/format.h>

namespace sallyport::agent {
namespace asio = boost::asio;
namespace {

Result<tls::ClientContext> context_of(const Identity& identity, const Clock& clock) {
  return tls::make_link_client_context({identity.chain, identity.key, identity.root}, clock);
}

}  // namespace

WebAddress web_of(const Identity& identity, const Endpoint& relay) {
  if (auto named = parse_web_address(identity.web)) return *std::move(named);
  return {relay, ""};
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> TlsTransport::connect(Endpoint relay, SteadyTime deadline) {
  SP_CO_TRY(const auto identity, identities_.load());
  SP_CO_TRY(const auto context, context_of(identity, clock_));
  SP_CO_TRY(auto socket, co_await dialer_.dial(relay, deadline));
  SP_CO_CHECK(tls::prepare_socket(socket));
  auto stream = co_await tls::connect_tls(std::move(socket), context, relay.host, deadline);
  if (stream) co_return std::move(*stream);
  co_return in_context(fmt::format("TLS with {} ({})", to_string(relay), stream.error().reason),
                       std::move(stream.error().error));
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> WayTransport::connect(Endpoint relay, SteadyTime deadline) {
  SP_CO_TRY(const auto identity, identities_.load());
  SP_CO_TRY(auto context, context_of(identity, clock_));
  Destination to{relay, web_ ? *web_ : web_of(identity, relay)};
  SP_CO_TRY(auto stream, co_await ways_.reach(std::move(to), std::move(context), deadline));
  co_return std::move(stream);
}

}  // namespace sallyport::agent
