#pragma once

#include "relay/domain/roles.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::domain {

// What a person sets of a tunnel's limits; 0 is "no limit" except for `connections`.
struct TunnelLimits {
  std::uint32_t connections = 100;     // open at one time, 1..1000
  std::uint64_t bytes_per_second = 0;  // of one connection, in each direction
  std::chrono::seconds idle{0};        // without a byte in either direction

  friend bool operator==(const TunnelLimits&, const TunnelLimits&) = default;
};

// Who may open a tunnel from a workstation: whoever has one of these roles, and these API tokens whatever the role of
// their user. Its listener does not ask for it.
struct TunnelAccess {
  std::vector<Role> roles = {Role::owner, Role::editor};  // each once, in the order of Role
  std::vector<ApiTokenId> tokens = {};

  bool lets_in(Role role, const ApiTokenId& token) const;
  friend bool operator==(const TunnelAccess&, const TunnelAccess&) = default;
};

// A TCP port of the relay's machine.
struct TunnelListener {
  std::string address;  // IPv4 or IPv6, canonical
  std::uint16_t port = 0;

  friend bool operator==(const TunnelListener&, const TunnelListener&) = default;
};

// TCP ports, both ends among them.
struct PortRange {
  std::uint16_t from = 1;
  std::uint16_t to = 65535;

  bool holds(std::uint16_t port) const { return from <= port && port <= to; }
  friend bool operator==(const PortRange&, const PortRange&) = default;
};
// "15000-15999", or "15000" for one. Errc::invalid: not one.
Result<PortRange> parse_port_range(std::string_view text);
std::string to_string(const PortRange& ports);
// Where listeners may be unless the deployment's settings allow more: not where the operating system's services are.
inline constexpr PortRange kDefaultListenPorts{1024, 65535};

// A numeric IPv4 or IPv6 address (RFC 4291 section 2.2) in its one spelling (RFC 5952); an IPv4-mapped IPv6 address
// (RFC 4291 section 2.5.5.2) is the IPv4 address. Errc::invalid: not one; zones ("%eth0") are none.
Result<std::string> canonical_address(std::string_view text);

// Two listeners of one machine cannot both be bound. The addresses are canonical; 0.0.0.0 is every IPv4 address and ::
// every IPv6 address, for a listener is of one family (RFC 3493 section 5.3, IPV6_V6ONLY).
bool clash(const TunnelListener& a, const TunnelListener& b);

// A block of addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3): "10.0.0.0/8", "2001:db8::/32", "127.0.0.1".
// Gives its one spelling, which has a prefix length always: "127.0.0.1/32". Errc::invalid: not one, or bits are set
// behind the prefix.
Result<std::string> canonical_network(std::string_view text);
// `address` is numeric; an IPv4-mapped IPv6 address counts as the IPv4 address, in networks too. What is no address is
// in no network, and what is no network holds no address.
bool is_in_networks(std::string_view address, const std::vector<std::string>& networks);

// Where listeners may be bound unless the deployment's settings allow more: loopback, private (RFC 1918) and unique
// local (RFC 4193) addresses. Canonical.
std::vector<std::string> default_listen_networks();

}  // namespace sallyport::domain
