#include "agent/link/websocket.h"
#include "shared/websocket/handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sallyport::agent {
namespace {

constexpr std::size_t kQuoted = 60;
constexpr std::string_view kScheme = "https://";
constexpr std::string_view kBegin = "HTTP/1.1 ";
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kMaxUrl = 255;

// The beginning of what somebody else sent, fit for a log line.
std::string quoted(std::string_view text) {
  std::string clean;
  for (const char c : text.substr(0, std::min(kQuoted, text.find_first_of("\r\n"))))
    clean += c >= ' ' && c < 0x7f ? c : '.';
  return clean;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// All values of one field, joined as RFC 9110 §5.3 allows.
std::string field(std::string_view head, std::string_view name) {
  std::string values;
  for (auto at = head.find("\r\n"); at != std::string_view::npos;) {
    const auto begin = at + 2;
    at = head.find("\r\n", begin);
    const auto line = head.substr(begin, at == std::string_view::npos ? at : at - begin);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || lower(line.substr(0, colon)) != name) continue;
    if (!values.empty()) values += ", ";
    values += trimmed(line.substr(colon + 1));
  }
  return values;
}

Errc code_of(int status) {
  if (status == 401 || status == 407) return Errc::unauthenticated;
  if (status == 403) return Errc::forbidden;
  return status >= 500 ? Errc::unavailable : Errc::invalid;
}

std::string_view advice_for(int status) {
  switch (status) {
    case 401:
    case 407: return "something on the way wants a user and a password: set them in the proxy's URL";
    case 403: return "something on the way does not allow this destination: ask for it to be opened";
    case 404:
    case 405:
    case 426: return "this web server offers no links: check api.url of the relay, and its version";
    case 429: return "too many connections from this address";
    default: break;
  }
  if (status >= 500) return "the relay does not answer whoever stands before it";
  return "a page of something on the way, not the relay: a sign-in page or a proxy's notice?";
}

}  // namespace

Result<WebAddress> parse_web_address(std::string_view url) {
  const auto bad = [&] { return fail(Errc::invalid, fmt::format("\"{}\" is no https://host:port", quoted(url))); };
  const bool printable = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  if (!url.starts_with(kScheme) || url.size() > kMaxUrl || !printable) return bad();
  const auto rest = url.substr(kScheme.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  auto path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  auto at = parse_endpoint(rest.substr(0, slash), kHttpsPort);
  if (!at || path.find_first_of("?#") != std::string_view::npos) return bad();
  return WebAddress{*std::move(at), std::string(path)};
}

std::string to_string(const WebAddress& address) {
  return fmt::format("{}{}{}", kScheme, to_string(address.at), address.path);
}

std::string websocket_request(const WebAddress& to, std::string_view key) {
  auto host = to_string(to.at);
  if (to.at.port == kHttpsPort) host.resize(host.rfind(':'));
  return fmt::format(
      "GET {}{} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {}\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {}\r\nUser-Agent: sallyport-agent\r\n\r\n",
      to.path, websocket::kLinkPath, host, key, websocket::kLinkSubprotocol);
}

Result<bool> UpgradeAnswer::feed(std::span<const std::byte> bytes) {
  const auto searched = head_.size() < 3 ? 0 : head_.size() - 3;
  const auto room = kMaxUpgradeAnswer + 1 - std::min(kMaxUpgradeAnswer + 1, head_.size());
  const auto taken = bytes.first(std::min(bytes.size(), room));
  head_ += as_text(taken);
  if (!kBegin.starts_with(std::string_view(head_).substr(0, kBegin.size()))) {
    return fail(Errc::invalid,
                fmt::format("{} does not answer like a web server: \"{}\"", to_string(asked_), quoted(head_)));
  }
  const auto end = head_.find("\r\n\r\n", searched);
  if (end == std::string::npos) {
    if (head_.size() <= kMaxUpgradeAnswer) return false;
    return fail(Errc::too_large,
                fmt::format("{} sent a header of more than {} bytes", to_string(asked_), kMaxUpgradeAnswer));
  }
  const auto behind = as_bytes(std::string_view(head_).substr(end + 4));
  rest_.assign(behind.begin(), behind.end());
  rest_.insert(rest_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(taken.size()), bytes.end());
  return judge(std::string_view(head_).substr(0, end));
}

Result<bool> UpgradeAnswer::judge(std::string_view head) const {
  int status = 0;
  const auto digits = head.substr(kBegin.size(), 3);
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  const auto problem = [&](Errc code, std::string_view why) {
    return fail(code, fmt::format("{} answered \"{}\": {}", to_string(asked_), quoted(head), why));
  };
  if (status != 101) return problem(code_of(status), advice_for(status));
  const bool is_websocket = lower(field(head, "upgrade")) == "websocket" &&
                            websocket::offers_subprotocol(lower(field(head, "connection")), "upgrade");
  if (!is_websocket) return problem(Errc::invalid, "this is no WebSocket");
  if (field(head, "sec-websocket-accept") != websocket::accept_key(key_))
    return problem(Errc::invalid, "the WebSocket's proof is not for our key");
  if (field(head, "sec-websocket-protocol") != websocket::kLinkSubprotocol ||
      !field(head, "sec-websocket-extensions").empty())
    return problem(Errc::invalid, "the WebSocket is not for links");
  return true;
}

}  // namespace sallyport::agent
