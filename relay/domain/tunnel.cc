#include "relay/domain/tunnel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace sallyport::domain {
namespace {

constexpr std::size_t kLongest = sizeof "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128" - 1;
constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;
constexpr unsigned kMappedBits = kV6Bits - kV4Bits;  // in front of a mapped IPv4 address
constexpr std::size_t kGroups = 8;

// The first `bits` bits of `bytes`; the rest is zero.
struct Address {
  std::array<std::uint8_t, kV6Bits / 8> bytes{};
  unsigned bits = kV4Bits;
};

struct Network {
  Address first;
  unsigned prefix = 0;
};

// Digits of `base` that fill `text`, at most `longest` of them and at most `most` in value.
std::optional<unsigned> parse_number(std::string_view text, int base, std::size_t longest, unsigned most) {
  unsigned value = 0;
  if (text.empty() || text.size() > longest) return std::nullopt;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (problem != std::errc() || stop != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

// "010" is ten for some programs and eight for others: it is refused.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned most) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return parse_number(text, 10, 3, most);
}

// The part in front of the next `separator`, which is taken away with it; nothing when the text is used up.
std::optional<std::string_view> next_part(std::optional<std::string_view>& rest, char separator) {
  if (!rest) return std::nullopt;
  const auto at = rest->find(separator);
  const auto part = rest->substr(0, at);
  rest = at == std::string_view::npos ? std::nullopt : std::optional(rest->substr(at + 1));
  return part;
}

std::optional<Address> parse_v4(std::string_view text) {
  Address address;
  std::optional rest = text;
  for (std::size_t i = 0; i < kV4Bits / 8; ++i) {
    const auto part = next_part(rest, '.');
    const auto byte = part ? parse_decimal(*part, 255) : std::nullopt;
    if (!byte) return std::nullopt;
    address.bytes.at(i) = static_cast<std::uint8_t>(*byte);
  }
  return rest ? std::nullopt : std::optional(address);
}

using Groups = std::vector<unsigned>;

// Groups between colons; the last one may be an IPv4 address when the text ends the whole address.
enum class Ends { address, first_half };
std::optional<Groups> parse_groups(std::string_view text, Ends ends) {
  Groups groups;
  std::optional rest = text.empty() ? std::nullopt : std::optional(text);
  while (const auto part = next_part(rest, ':')) {
    const auto v4 = !rest && ends == Ends::address ? parse_v4(*part) : std::nullopt;
    if (v4) {
      groups.push_back(unsigned{v4->bytes[0]} << 8 | v4->bytes[1]);
      groups.push_back(unsigned{v4->bytes[2]} << 8 | v4->bytes[3]);
      continue;
    }
    const auto group = parse_number(*part, 16, 4, 0xffff);
    if (!group) return std::nullopt;
    groups.push_back(*group);
  }
  return groups;
}

std::optional<Groups> parse_all_groups(std::string_view text) {
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) {
    auto groups = parse_groups(text, Ends::address);
    return groups && groups->size() == kGroups ? groups : std::nullopt;
  }
  auto groups = parse_groups(text.substr(0, gap), Ends::first_half);
  const auto behind = parse_groups(text.substr(gap + 2), Ends::address);
  if (!groups || !behind || groups->size() + behind->size() >= kGroups) return std::nullopt;
  groups->resize(kGroups - behind->size());
  groups->insert(groups->end(), behind->begin(), behind->end());
  return groups;
}

std::optional<Address> parse_v6(std::string_view text) {
  const auto groups = parse_all_groups(text);
  if (!groups) return std::nullopt;
  Address address{.bits = kV6Bits};
  for (std::size_t i = 0; i < kGroups; ++i) {
    address.bytes.at(2 * i) = static_cast<std::uint8_t>(groups->at(i) >> 8);
    address.bytes.at(2 * i + 1) = static_cast<std::uint8_t>(groups->at(i));
  }
  return address;
}

bool is_mapped(const Address& address) {
  constexpr std::array<std::uint8_t, kMappedBits / 8> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.bits == kV6Bits && std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin());
}

Address unmapped(const Address& address) {
  Address v4;
  std::copy(address.bytes.begin() + kMappedBits / 8, address.bytes.end(), v4.bytes.begin());
  return v4;
}

// As it is written: not unmapped yet.
std::optional<Address> parse_written(std::string_view text) {
  if (text.size() > kLongest) return std::nullopt;
  return text.contains(':') ? parse_v6(text) : parse_v4(text);
}

std::optional<Address> parse_address(std::string_view text) {
  const auto address = parse_written(text);
  return address && is_mapped(*address) ? unmapped(*address) : address;
}

// Bits behind the prefix may be set yet.
std::optional<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_written(text.substr(0, slash));
  if (!address) return std::nullopt;
  Network network{.first = *address, .prefix = address->bits};
  if (slash != std::string_view::npos) {
    const auto prefix = parse_decimal(text.substr(slash + 1), address->bits);
    if (!prefix) return std::nullopt;
    network.prefix = *prefix;
  }
  if (!is_mapped(*address) || network.prefix < kMappedBits) return network;
  return Network{.first = unmapped(*address), .prefix = network.prefix - kMappedBits};
}

Address without_bits_behind(Address address, unsigned prefix) {
  for (unsigned bit = prefix; bit < address.bits; ++bit) {
    address.bytes.at(bit / 8) &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
  }
  return address;
}

bool holds(const Network& network, const Address& address) {
  return address.bits == network.first.bits &&
         without_bits_behind(address, network.prefix).bytes == network.first.bytes;
}

// The longest run of at least two groups of zero, the first of several (RFC 5952 section 4.2).
struct Run {
  std::size_t begin = kGroups;
  std::size_t length = 1;
};
Run longest_zeros(const std::array<unsigned, kGroups>& groups) {
  Run longest;
  for (std::size_t i = 0; i < kGroups; ++i) {
    std::size_t end = i;
    while (end < kGroups && groups.at(end) == 0) ++end;
    if (end - i > longest.length) longest = {.begin = i, .length = end - i};
  }
  return longest;
}

std::string write_v6(const Address& address) {
  std::array<unsigned, kGroups> groups{};
  for (std::size_t i = 0; i < kGroups; ++i) {
    groups.at(i) = unsigned{address.bytes.at(2 * i)} << 8 | address.bytes.at(2 * i + 1);
  }
  const Run zeros = longest_zeros(groups);
  std::string text;
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (i == zeros.begin) {
      text += "::";
      i += zeros.length - 1;
      continue;
    }
    if (!text.empty() && !text.ends_with(':')) text += ':';
    text += fmt::format("{:x}", groups.at(i));
  }
  return text;
}

std::string write(const Address& address) {
  if (address.bits == kV6Bits) return write_v6(address);
  return fmt::format("{}.{}.{}.{}", address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]);
}

std::string write(const Network& network) { return fmt::format("{}/{}", write(network.first), network.prefix); }

}  // namespace

Result<std::string> canonical_address(std::string_view text) {
  const auto address = parse_address(text);
  if (!address) return fail(Errc::invalid, "not an IPv4 or IPv6 address, such as 127.0.0.1 or ::1");
  return write(*address);
}

bool TunnelAccess::lets_in(Role role, const ApiTokenId& token) const {
  return std::ranges::find(roles, role) != roles.end() || std::ranges::find(tokens, token) != tokens.end();
}

Result<PortRange> parse_port_range(std::string_view text) {
  constexpr unsigned kHighest = 65535;
  const auto parse = [](std::string_view one) {
    return one.starts_with('0') ? std::nullopt : parse_number(one, 10, 5, kHighest);
  };
  const auto dash = text.find('-');
  const auto from = parse(text.substr(0, dash));
  const auto to = dash == std::string_view::npos ? from : parse(text.substr(dash + 1));
  if (!from || !to || *from > *to) return fail(Errc::invalid, "not a range of ports, such as 15000-15999");
  return PortRange{static_cast<std::uint16_t>(*from), static_cast<std::uint16_t>(*to)};
}

std::string to_string(const PortRange& ports) { return fmt::format("{}-{}", ports.from, ports.to); }

bool clash(const TunnelListener& a, const TunnelListener& b) {
  if (a.port != b.port) return false;
  if (a.address == b.address) return true;
  const auto is_wildcard = [](const TunnelListener& one) { return one.address == "0.0.0.0" || one.address == "::"; };
  const bool same_family = a.address.contains(':') == b.address.contains(':');
  return same_family && (is_wildcard(a) || is_wildcard(b));
}

Result<std::string> canonical_network(std::string_view text) {
  const auto network = parse_network(text);
  if (!network) return fail(Errc::invalid, "not a network, such as 10.0.0.0/8, 2001:db8::/32 or 127.0.0.1");
  const Network whole{.first = without_bits_behind(network->first, network->prefix), .prefix = network->prefix};
  if (whole.first.bytes != network->first.bytes) {
    return fail(Errc::invalid, fmt::format("bits are set behind the prefix: the network is {}", write(whole)));
  }
  return write(whole);
}

bool is_in_networks(std::string_view address, const std::vector<std::string>& networks) {
  const auto parsed = parse_address(address);
  return parsed && std::ranges::any_of(networks, [&](const std::string& text) {
           const auto network = parse_network(text);
           return network && holds(*network, *parsed);
         });
}

std::vector<std::string> default_listen_networks() {
  return {"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"};
}

}  // namespace sallyport::domain
