#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::tunnel {

// Where a tunnel leads, as the agent's policy.yaml names it: a host name or an address, and a port. Host names are
// lower case, addresses in their canonical form (RFC 5952), without brackets.
struct Target {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const Target&, const Target&) = default;
};

inline constexpr std::size_t kMaxTargetHost = 240;  // fits a channel's purpose with its service and port

// "db.internal:5432", "10.0.0.7:22", "[2001:db8::1]:443" (RFC 3986 section 3.2); gives the host in its canonical form
// (shared/base/host.h), however it was written. Errc::invalid says what is wrong: a port out of 1..65535, an empty or
// overlong host, characters that no name has.
Result<Target> parse_target(std::string_view text);
std::string to_string(const Target& target);

// The purposes of channels that the relay opens (docs/protocol.md P14): one connection of a tunnel, and the question
// whether one would be possible.
inline constexpr std::string_view kTunnelService = "tunnel/1";
inline constexpr std::string_view kReachService = "reach/1";
// Of channels that a workstation opens in its session with the relay (P15), and the protocol of that session's upgrade.
inline constexpr std::string_view kConnectionService = "connection/1";
inline constexpr std::string_view kSessionProtocol = "sallyport-tunnel/1";
std::string purpose_of(std::string_view service, const Target& target);

}  // namespace sallyport::tunnel
