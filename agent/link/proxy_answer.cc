#include "agent/link/proxy.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::agent {
namespace {

constexpr std::size_t kQuoted = 60;

// The beginning of what somebody else sent, fit for a log line.
std::string quoted(std::string_view text) {
  std::string clean;
  for (const char c : text.substr(0, std::min(kQuoted, text.find('\n')))) clean += c >= ' ' && c < 0x7f ? c : '.';
  return clean;
}

std::optional<int> status_of(std::string_view line) {
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ') return std::nullopt;
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return std::nullopt;
    status = status * 10 + (c - '0');
  }
  if (line.size() > 12 && line[12] != ' ' && line[12] != '\r' && line[12] != '\n') return std::nullopt;
  return status;
}

Errc code_of(int status) {
  switch (status) {
    case 401:  // some proxies say so for a wrong password
    case 407: return Errc::unauthenticated;
    case 403: return Errc::forbidden;
    case 500:
    case 502:
    case 503:
    case 504: return Errc::unavailable;
    default: return Errc::invalid;
  }
}

std::string_view advice_for(int status) {
  switch (status) {
    case 401: return "it does not accept this user and password: check the proxy's URL";
    case 407: return "it wants a user and a password: set them in the proxy's URL";
    case 403: return "it does not allow this destination: ask for the relay's host and port to be opened";
    case 500:
    case 502:
    case 503: return "it could not reach the relay";
    case 504: return "the relay did not answer it in time";
    default: return "this is not how a proxy answers CONNECT: check host and port";
  }
}

}  // namespace

Result<bool> ProxyAnswer::feed(std::span<const std::byte> bytes) {
  // What could never begin "HTTP/1." is told at once instead of waiting for the end of a header.
  constexpr std::string_view kBegin = "HTTP/1.";
  const auto searched = head_.size() < 3 ? 0 : head_.size() - 3;
  head_ +=
      as_text(bytes.first(std::min(bytes.size(), kMaxProxyAnswer + 1 - std::min(kMaxProxyAnswer + 1, head_.size()))));
  const auto begin = std::string_view(head_).substr(0, kBegin.size());
  if (!kBegin.starts_with(begin)) {
    return fail(Errc::invalid,
                fmt::format("{} does not answer like an HTTP proxy: \"{}\"", to_string(proxy_), quoted(head_)));
  }
  const auto end = head_.find("\r\n\r\n", searched);
  if (end != std::string::npos) return judge(std::string_view(head_).substr(0, end), head_.size() - end - 4);
  if (head_.size() > kMaxProxyAnswer) {
    return fail(Errc::too_large,
                fmt::format("proxy {} sent a header of more than {} bytes", to_string(proxy_), kMaxProxyAnswer));
  }
  return false;
}

Result<bool> ProxyAnswer::judge(std::string_view head, std::size_t bytes_after) const {
  const auto status = status_of(head);
  if (!status) {
    return fail(Errc::invalid,
                fmt::format("{} does not answer like an HTTP proxy: \"{}\"", to_string(proxy_), quoted(head)));
  }
  if (*status < 200 || *status > 299) {
    return fail(code_of(*status),
                fmt::format("proxy {} refused CONNECT with {}: {}", to_string(proxy_), *status, advice_for(*status)));
  }
  // A TLS server waits for the client: bytes here come from somebody who is not the relay.
  if (bytes_after > 0) {
    return fail(Errc::invalid,
                fmt::format("proxy {} sent {} bytes of its own into the tunnel", to_string(proxy_), bytes_after));
  }
  return true;
}

}  // namespace sallyport::agent
