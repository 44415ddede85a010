#include "agent/link/transport.h"

#include "shared/tls/context.h"
#include "shared/tls/socket.h"
#include "shared/tls/stream.h"

#include <fmt/format.h>

namespace sallyport::agent {
namespace asio = boost::asio;

asio::awaitable<Result<std::unique_ptr<ByteStream>>> TlsTransport::connect(Endpoint relay, SteadyTime deadline) {
  SP_CO_TRY(const auto identity, identities_.load());
  const tls::LinkClientSettings settings{identity.chain, identity.key, identity.root};
  SP_CO_TRY(const auto context, tls::make_link_client_context(settings, clock_));
  SP_CO_TRY(auto socket, co_await dialer_.dial(relay, deadline));
  SP_CO_CHECK(tls::prepare_socket(socket));
  auto stream = co_await tls::connect_tls(std::move(socket), context, relay.host, deadline);
  if (stream) co_return std::move(*stream);
  co_return in_context(fmt::format("TLS with {} ({})", to_string(relay), stream.error().reason),
                       std::move(stream.error().error));
}

}  // namespace sallyport::agent
