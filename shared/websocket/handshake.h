#pragma once

#include <optional>
#include <string>
#include <string_view>

// The opening handshake of RFC 6455 §4 as far as both sides share it.
namespace sallyport::websocket {

inline constexpr std::string_view kLinkSubprotocol = "sallyport.link.v1";
inline constexpr std::string_view kLinkPath = "/v1/link";

std::string new_key();  // Sec-WebSocket-Key: 16 random bytes in base64

// Sec-WebSocket-Accept for a client's key (§4.2.2); nothing when it is not 16 bytes in base64.
std::optional<std::string> accept_key(std::string_view key);

// Whether a comma-separated list of subprotocols names `wanted`, exactly.
bool offers_subprotocol(std::string_view list, std::string_view wanted);

}  // namespace sallyport::websocket
