#include "agent/link/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035 §2.3.4, in text form

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, port);
  if (code != std::errc() || rest != end || port == 0 || text.front() == '0') return std::nullopt;
  return port;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}
bool is_address_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.' || c == '%';
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", endpoint.host, endpoint.port) : fmt::format("{}:{}", endpoint.host, endpoint.port);
}

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  const auto wrong = [](std::string_view why) { return fail(Errc::invalid, fmt::format("not a host:port: {}", why)); };
  Endpoint endpoint{"", default_port};
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return wrong("a bracket is not closed");
    endpoint.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!std::ranges::all_of(endpoint.host, is_address_character)) return wrong("not an address within the brackets");
  } else {
    const auto colon = text.find(':');
    endpoint.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
    if (!std::ranges::all_of(endpoint.host, is_host_character)) return wrong("a character that no host name has");
  }
  if (endpoint.host.empty() || endpoint.host.size() > kMaxHost) return wrong("the host is empty or too long");
  if (port.empty()) {
    if (default_port == 0) return wrong("the port is missing");
    return endpoint;
  }
  const auto number = port.size() > 1 && port.front() == ':' ? parse_port(port.substr(1)) : std::nullopt;
  if (!number) return wrong("the port is not a number from 1 to 65535");
  endpoint.port = *number;
  return endpoint;
}

}  // namespace sallyport::agent
