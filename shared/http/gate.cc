#include "shared/http/gate.h"

#include "shared/http/characters.h"
#include "shared/http/target.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport::http {
namespace {

constexpr std::size_t kMaxMethod = 16;
constexpr std::size_t kMaxHost = 255;

// Fields that two implementations could pick differently when they come twice.
constexpr std::array<std::string_view, 11> kSingletons{
    "Host",     "Content-Length",  "Transfer-Encoding", "Authorization", "Content-Type", "Expect",
    "If-Match", "Idempotency-Key", "X-Request-Id",      "Last-Event-Id", "Upgrade"};
constexpr std::array<std::string_view, 4> kFraming{"Host", "Content-Length", "Transfer-Encoding", "Connection"};

using Checked = std::expected<void, GateRefusal>;

std::unexpected<GateRefusal> refuse(int status, std::string code, std::string detail) {
  return std::unexpected(GateRefusal{status, std::move(code), std::move(detail)});
}
std::unexpected<GateRefusal> refuse(std::string code, std::string detail) {
  return refuse(400, std::move(code), std::move(detail));
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Checked check_request_line(std::string_view line, const GateLimits& limits, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || first == last || line.find(' ', first + 1) != last) {
    return refuse("request_line", "The request line must be: method, one space, target, one space, version.");
  }
  const auto method = line.substr(0, first);
  if (method.size() > kMaxMethod || !std::ranges::all_of(method, is_token_character)) {
    return refuse("method", "The method is malformed.");
  }
  const auto version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7])) {
    return refuse("version", "The HTTP version is malformed.");
  }
  if (version != "HTTP/1.1") return refuse(505, "version_unsupported", "Only HTTP/1.1 is spoken here.");
  const auto known = parse_method(method);
  if (!known) return refuse(501, "method_unknown", "This method is not implemented.");
  head.method = *known;
  return check_target(line.substr(first + 1, last - first - 1), limits, head);
}

bool is_disguised_framing(std::string_view name) {
  if (name.find('_') == std::string_view::npos) return false;
  std::string plain(name);
  std::ranges::replace(plain, '_', '-');
  return std::ranges::any_of(kFraming, [&](auto one) { return equal_names(plain, one); });
}

Checked check_field(std::string_view line, RequestHead& head) {
  if (line.starts_with(' ') || line.starts_with('\t')) return refuse("obs_fold", "Folded header lines are refused.");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return refuse("no_colon", "A header line has no colon.");
  const auto name = line.substr(0, colon);
  if (name.empty() || !std::ranges::all_of(name, is_token_character)) {
    return refuse("field_name", "A header name is malformed or followed by a space.");
  }
  if (is_disguised_framing(name)) return refuse("field_alias", "A header name imitates one that frames the message.");
  const bool singleton = std::ranges::any_of(kSingletons, [&](auto one) { return equal_names(name, one); });
  if (singleton && head.headers.find(name) != nullptr) {
    return refuse("duplicate_field", "A header that may come once came twice.");
  }
  head.headers.add(name, trimmed(line.substr(colon + 1)));
  return {};
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost) return false;
  std::string_view port;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    if (!std::ranges::all_of(host.substr(1, end - 1), [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; }))
      return false;
    port = host.substr(end + 1);
  } else {
    const auto colon = std::min(host.find(':'), host.size());
    const auto name = host.substr(0, colon);
    if (name.empty() ||
        !std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; }))
      return false;
    port = host.substr(colon);
  }
  if (port.empty()) return true;
  port.remove_prefix(1);
  return host[host.size() - port.size() - 1] == ':' && !port.empty() && port.size() <= 5 &&
         std::ranges::all_of(port, is_digit);
}

Checked check_host(RequestHead& head) {
  const auto* host = head.headers.find("Host");
  if (host == nullptr) return refuse("no_host", "The Host header is missing.");
  if (!is_host(*host)) return refuse("bad_host", "The Host header is malformed.");
  head.host = *host;
  return {};
}

Checked check_content_length(std::string_view text, RequestHead& head) {
  std::uint64_t length = 0;
  const bool clean = !text.empty() && std::ranges::all_of(text, is_digit) && (text == "0" || text.front() != '0');
  if (!clean || std::from_chars(text.data(), text.data() + text.size(), length).ec != std::errc()) {
    return refuse("content_length", "The Content-Length header is malformed.");
  }
  head.content_length = length;
  return {};
}

Checked check_framing(RequestHead& head) {
  const auto* encoding = head.headers.find("Transfer-Encoding");
  const auto* length = head.headers.find("Content-Length");
  if (encoding != nullptr && length != nullptr) {
    return refuse("two_lengths", "Transfer-Encoding and Content-Length exclude each other.");
  }
  if (encoding != nullptr) {
    if (!equal_names(*encoding, "chunked"))
      return refuse("transfer_encoding", "The only Transfer-Encoding known here is chunked.");
    head.chunked = true;
  }
  return length == nullptr ? Checked() : check_content_length(*length, head);
}

// What follows an offer to speak another protocol may be of that protocol: it is never read as a request.
Checked check_connection(RequestHead& head) {
  for (const auto& field : head.headers.fields()) {
    if (!equal_names(field.name, "Connection")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const auto end = std::min(rest.find(','), rest.size());
      const auto option = trimmed(rest.substr(0, end));
      if (equal_names(option, "upgrade")) head.offers_upgrade = true;
      if (equal_names(option, "close") || head.offers_upgrade) head.keep_alive = false;
      if (std::ranges::any_of(kFraming, [&](auto one) { return equal_names(option, one); })) {
        return refuse("connection_option", "The Connection header names a header that frames the message.");
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return {};
}

Checked check_expect(RequestHead& head) {
  const auto* expect = head.headers.find("Expect");
  if (expect == nullptr) return {};
  if (!equal_names(*expect, "100-continue")) return refuse(417, "expect", "This expectation cannot be met.");
  head.expects_continue = true;
  return {};
}

}  // namespace

std::expected<std::optional<std::size_t>, GateRefusal> find_head_end(std::string_view bytes, const GateLimits& limits,
                                                                     std::size_t scanned) {
  if (!bytes.empty() && (bytes[0] == '\r' || bytes[0] == '\n')) {
    return refuse("leading_line", "A request must not start with an empty line.");
  }
  const auto upto = std::min(bytes.size(), limits.max_header_bytes);
  for (std::size_t i = scanned; i < upto; ++i) {
    const char c = bytes[i];
    if (c == '\n' && bytes[i - 1] != '\r') return refuse("bare_lf", "A line ends without a carriage return.");
    if (i > 0 && bytes[i - 1] == '\r' && c != '\n') return refuse("bare_cr", "A carriage return stands alone.");
    if (c == '\n' && i >= 3 && bytes[i - 2] == '\n') return i + 1;
    if (static_cast<unsigned char>(c) > 0x7E || (is_control(c) && !is_one_of(c, "\r\n\t"))) {
      return refuse("control_character", "The header holds a character that is not printable ASCII.");
    }
  }
  if (bytes.size() >= limits.max_header_bytes) return refuse(431, "header_bytes", "The request header is too large.");
  return std::nullopt;
}

std::expected<RequestHead, GateRefusal> check_head(std::string_view block, const GateLimits& limits) {
  const auto end = find_head_end(block, limits);
  if (!end) return std::unexpected(end.error());
  if (*end != block.size()) return refuse("incomplete", "The request header is incomplete.");
  RequestHead head;
  const auto line_end = block.find("\r\n");
  if (auto line = check_request_line(block.substr(0, line_end), limits, head); !line)
    return std::unexpected(line.error());
  for (auto rest = block.substr(line_end + 2); rest.size() > 2;) {
    const auto next = rest.find("\r\n");
    if (head.headers.fields().size() == limits.max_headers)
      return refuse(431, "header_count", "The request has too many headers.");
    if (auto field = check_field(rest.substr(0, next), head); !field) return std::unexpected(field.error());
    rest.remove_prefix(next + 2);
  }
  for (auto check : {check_host, check_framing, check_connection, check_expect}) {
    if (auto checked = check(head); !checked) return std::unexpected(checked.error());
  }
  return head;
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "._-"); });
}

}  // namespace sallyport::http
