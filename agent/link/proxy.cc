#include "agent/link/proxy.h"

#include "shared/base/text.h"

#include <fmt/format.h>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>

namespace sallyport::agent {
namespace ip = boost::asio::ip;
namespace {

constexpr std::uint16_t kProxyPort = 3128;
constexpr std::size_t kMaxProxyUrl = 2048;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// RFC 3986 §2.1; nullopt for a broken escape or a control character.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const auto byte = from_hex(text.substr(i + 1, 2));
      if (!byte || byte->size() != 1) return std::nullopt;
      c = static_cast<char>(byte->front());
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out += c;
  }
  return out;
}

bool in_network(std::string_view entry, const std::string& host) {
  boost::system::error_code bad;
  const auto address = ip::make_address(host, bad);
  if (bad) return false;
  const std::string text(entry);
  if (address.is_v4()) {
    const auto network = ip::make_network_v4(text, bad);
    return !bad && ip::network_v4(address.to_v4(), network.prefix_length()).canonical() == network.canonical();
  }
  const auto network = ip::make_network_v6(text, bad);
  return !bad && ip::network_v6(address.to_v6(), network.prefix_length()).canonical() == network.canonical();
}

bool names(std::string_view entry, const Endpoint& target) {
  if (entry.empty()) return false;
  if (entry == "*") return true;
  if (entry.find('/') != std::string_view::npos) return in_network(entry, target.host);
  const auto host = lower(target.host);
  std::string bare = lower(entry);
  if (bare == host) return true;  // also an IPv6 address without brackets
  if (const auto parsed = parse_endpoint(entry.starts_with('.') ? entry.substr(1) : entry, target.port)) {
    if (parsed->port != target.port) return false;
    bare = lower(parsed->host);
  }
  return host == bare || host.ends_with("." + bare);
}

struct Variable {
  std::string name;
  std::string value;
};

std::optional<Variable> first_of(const Environment& environment, std::initializer_list<const char*> names) {
  for (const auto* name : names) {
    if (auto value = environment(name); value && !trimmed(*value).empty()) return Variable{name, *std::move(value)};
  }
  return std::nullopt;
}

}  // namespace

Result<Proxy> parse_proxy_url(std::string_view url) {
  url = trimmed(url);
  if (url.size() > kMaxProxyUrl) return fail(Errc::too_large, "the proxy's URL is too long");
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    const auto name = lower(url.substr(0, scheme));
    if (name == "https" || name.starts_with("socks")) {
      return fail(Errc::invalid, fmt::format("{} proxies are not spoken to; give the URL of an http:// one",
                                             name == "https" ? "https://" : "SOCKS"));
    }
    if (name != "http") return fail(Errc::invalid, "the proxy's URL does not begin with http://");
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("/?#"));
  Proxy proxy;
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    const auto credentials = url.substr(0, at);
    const auto colon = credentials.find(':');
    const auto user = percent_decoded(credentials.substr(0, colon));
    auto password = percent_decoded(colon == std::string_view::npos ? "" : credentials.substr(colon + 1));
    if (!user || !password || user->find(':') != std::string::npos) {
      return fail(Errc::invalid, "the proxy's user or password is not percent-encoded as a URL wants it");
    }
    proxy.user = *user;
    proxy.password = Secret::take(*password);
    url.remove_prefix(at + 1);
  }
  auto at = parse_endpoint(url, kProxyPort);
  if (!at) return in_context("the proxy's URL", std::move(at.error()));
  proxy.at = *std::move(at);
  return proxy;
}

bool bypasses_proxy(std::string_view list, const Endpoint& target) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (names(trimmed(list.substr(0, comma)), target)) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

Result<std::optional<Proxy>> choose_proxy(const std::string& configured, const Environment& environment,
                                          const Endpoint& target) {
  if (configured == "none") return std::nullopt;
  if (!configured.empty()) {
    auto proxy = parse_proxy_url(configured);
    if (!proxy) return in_context("proxy of the configuration", std::move(proxy.error()));
    return *std::move(proxy);
  }
  const auto found = first_of(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  if (!found) return std::nullopt;
  const auto exceptions = first_of(environment, {"no_proxy", "NO_PROXY"});
  if (exceptions && bypasses_proxy(exceptions->value, target)) return std::nullopt;
  auto proxy = parse_proxy_url(found->value);
  if (!proxy) return in_context(found->name + " of the environment", std::move(proxy.error()));
  return *std::move(proxy);
}

Secret connect_request(const Endpoint& target, const Proxy& proxy) {
  const auto authority = to_string(target);
  std::string text =
      fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sallyport-agent\r\n", authority, authority);
  if (!proxy.user.empty()) {
    std::string credentials = proxy.user + ":" + std::string(proxy.password.reveal());
    std::string encoded = base64(as_bytes(credentials));
    text += "Proxy-Authorization: Basic ";
    text += encoded;
    text += "\r\n";
    wipe(credentials.data(), credentials.size());
    wipe(encoded.data(), encoded.size());
  }
  text += "\r\n";
  return Secret::take(text);
}

}  // namespace sallyport::agent
