#pragma once

#include "shared/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::agent {

// A DNS name or an IP address (IPv6 without brackets) and a port.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

std::string to_string(const Endpoint& endpoint);  // "relay.example:443", "[::1]:443"
// The port may be missing if `default_port` is not 0.
Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

}  // namespace sallyport::agent
