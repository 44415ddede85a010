#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "shared/websocket/handshake.h"
#include "shared/websocket/stream.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

// By value: it outlives the exchange that made it.
asio::awaitable<void> serve(Services::ServeLink serve_link, std::unique_ptr<ByteStream> connection) {
  auto carrier =
      websocket::make_stream(co_await asio::this_coro::executor, std::move(connection), websocket::Side::server);
  co_await serve_link(std::move(carrier));
}

http::Response version_required() {
  auto response = http::to_response({426, "websocket_version", "Speak version 13 of the WebSocket protocol.", {}});
  response.headers.set("Sec-WebSocket-Version", "13");
  return response;
}

http::Response bad_offer() {
  return http::to_response({400,
                            "websocket",
                            "Ask for a WebSocket with a Sec-WebSocket-Key of 16 bytes and the subprotocol " +
                                std::string(websocket::kLinkSubprotocol) + ".",
                            {}});
}

// Whoever agents are shows itself inside: in their own TLS, not here.
asio::awaitable<Result<Answer>> open_link(Services& services, Call call) {
  const auto& offer = call.websocket;
  if (!services.take_link) co_return fail(Errc::unavailable, "this relay takes no links here");
  if (!offer.version.empty() && offer.version != "13") co_return Answer{version_required()};
  const auto accept = websocket::accept_key(offer.key);
  if (!accept || !websocket::offers_subprotocol(offer.subprotocols, websocket::kLinkSubprotocol))
    co_return Answer{bad_offer()};
  SP_CO_TRY(auto serve_link, services.take_link(call.peer));
  http::UpgradeResponse upgrade{.protocol = "websocket", .headers = {}, .serve = {}, .actor = {}};
  upgrade.headers.set("Sec-WebSocket-Accept", *accept);
  upgrade.headers.set("Sec-WebSocket-Protocol", websocket::kLinkSubprotocol);
  upgrade.serve = [serve_link = std::move(serve_link)](std::unique_ptr<ByteStream> connection) {
    return serve(serve_link, std::move(connection));
  };
  co_return Answer{std::move(upgrade)};
}

constexpr std::array kRoutes{
    Route{.id = "open_link", .pattern = "/v1/link", .reach = Reach::open, .handler = open_link},
};

}  // namespace

std::span<const Route> link_routes() { return kRoutes; }

}  // namespace sallyport::api
