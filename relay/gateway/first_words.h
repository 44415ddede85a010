#pragma once

#include "relay/gateway/doorway.h"

namespace sallyport::gateway {

enum class Caller { agent, web };

// Who a connection is for, by the protocols its ClientHello offers (docs/protocol.md P1.1): what offers none of the
// agents', and what is no ClientHello, is the web's. Nothing is taken from the socket, which is non-blocking
// afterwards. Until then the guest is a silent one. Errors as those of Guest::wait_for_word().
boost::asio::awaitable<Result<Caller>> tell_apart(Doorway::Guest& guest, boost::asio::ip::tcp::socket& socket,
                                                  SteadyTime deadline);

}  // namespace sallyport::gateway
