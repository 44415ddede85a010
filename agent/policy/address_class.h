#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sallyport::policy {

// What kind of place an address is, as far as a rule has to tell them apart (RFC 6890 and the IANA registries of
// special-purpose addresses).
enum class AddressClass : unsigned {
  public_ = 1,
  private_ = 2,    // RFC 1918, RFC 6598 (100.64.0.0/10), unique local (fc00::/7), site-local
  loopback = 4,    // this machine: 127.0.0.0/8, ::1
  link_local = 8,  // 169.254.0.0/16, fe80::/10
  metadata = 16,   // where clouds tell a machine its credentials, in every form
  forbidden = 32,  // no server: unspecified, multicast, broadcast, reserved, and tunnels that hide an address
};
inline constexpr std::array<std::string_view, 5> kAddressClasses{"public", "private", "loopback", "link_local",
                                                                 "metadata"};  // that a rule can name, in this order
std::string_view to_string(AddressClass address_class);

// Of an address in network order, 4 or 16 bytes. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) counts as
// what it is itself.
AddressClass classify_address(std::span<const std::uint8_t> bytes);

}  // namespace sallyport::policy
