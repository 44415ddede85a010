#include "shared/base/host.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

namespace sallyport {
namespace {

constexpr std::size_t kMaxLabel = 63;

std::unexpected<Error> wrong(std::string why) { return fail(Errc::invalid, "not a host: " + std::move(why)); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_'; }

// As the system writes it, which for IPv6 is the form of RFC 5952.
std::optional<std::string> canonical_address(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> written{};
  if (::inet_pton(family, text.c_str(), address.data()) != 1) return std::nullopt;
  if (::inet_ntop(family, address.data(), written.data(), written.size()) == nullptr) return std::nullopt;
  return std::string(written.data());
}

bool looks_like_a_number(std::string_view label) {
  return std::ranges::all_of(label, is_digit) || label.starts_with("0x");
}

}  // namespace

Result<std::string> canonical_host(std::string_view text) {
  if (text.empty()) return wrong("it is empty");
  if (text.size() > kMaxHostName) return wrong("it has more than 253 characters");
  std::string host(text);
  std::ranges::transform(host, host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  if (host.contains(':')) {
    if (host.contains('\0')) return wrong("a character that no address has");
    auto address = canonical_address(AF_INET6, host);
    if (!address) return wrong("not an IPv6 address");
    return *std::move(address);
  }
  std::string_view rest = host, label;
  for (bool more = true; more;) {
    const auto dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty()) return wrong("nothing stands before or behind one of its dots");
    if (label.size() > kMaxLabel) return wrong("a part of the name has more than 63 characters");
    if (!std::ranges::all_of(label, is_name_character)) return wrong("a character that no host name has");
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  if (looks_like_a_number(label) && !canonical_address(AF_INET, host)) {
    return wrong("an IPv4 address has four decimal numbers, without leading zeros");
  }
  return host;
}

}  // namespace sallyport
