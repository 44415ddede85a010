#include "agent/connectors/http/http_actions_parts.h"
#include "agent/connectors/http/login.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::http {
namespace {

constexpr std::size_t kMostHeaders = 100;
constexpr std::size_t kMostValue = 8u << 10;

// Of the transport, of the login, and what has an argument of its own. By name.
constexpr std::array<std::string_view, 20> kRefused{"accept-encoding",
                                                    "authorization",
                                                    "connection",
                                                    "content-length",
                                                    "content-type",
                                                    "cookie",
                                                    "expect",
                                                    "host",
                                                    "idempotency-key",
                                                    "keep-alive",
                                                    "proxy-authenticate",
                                                    "proxy-authorization",
                                                    "proxy-connection",
                                                    "range",
                                                    "te",
                                                    "trailer",
                                                    "transfer-encoding",
                                                    "upgrade",
                                                    "via",
                                                    "x-http-method-override"};

bool is_name(std::string_view text) {  // a token, RFC 9110 section 5.6.2
  constexpr std::string_view kAlso = "!#$%&'*+-.^_`|~";
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kAlso.contains(c);
  };
  return !text.empty() && text.size() <= 256 && std::ranges::all_of(text, fits);
}

bool is_value(std::string_view text) {
  const auto breaks = [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; };
  return text.size() <= kMostValue && std::ranges::none_of(text, breaks);
}

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

StepResult<Secret> step_header(const Value& name, const Value& value, const policy::HttpConnection& settings) {
  if (!name.is(Value::Kind::string) || !is_name(name.as_string()))
    return step_fail("invalid", "\"headers\" has a name that is none of a header");
  const auto& text = name.as_string();
  const bool refused =
      std::ranges::any_of(kRefused, [&](auto one) { return is_same_name(one, text); }) ||
      std::ranges::any_of(settings.headers, [&](const auto& one) { return is_same_name(one.name, text); });
  if (refused)
    return step_fail("invalid", fmt::format("a step cannot set the header {}: it belongs to the connection", text));
  SP_TRY(auto shown, field_text(value, "headers"));
  if (!is_value(shown)) {
    return step_fail("invalid", fmt::format("the header {} has a line break, another control character, or more than "
                                            "{} bytes",
                                            text, kMostValue));
  }
  const auto content = Secret::take(shown);
  return header_line(text, content.reveal());
}

}  // namespace

StepResult<std::vector<Secret>> step_headers(const Arguments& arguments, const policy::HttpConnection& settings) {
  std::vector<Secret> lines;
  const auto* given = arguments.find("headers");
  if (given == nullptr) return lines;
  if (!given->is(Value::Kind::map) || given->as_map().size() > kMostHeaders)
    return step_fail("invalid", fmt::format("\"headers\" is not a mapping of at most {}", kMostHeaders));
  for (const auto& [name, value] : given->as_map()) {
    if (value.is_null()) continue;
    SP_TRY(auto line, step_header(name, value, settings));
    lines.push_back(std::move(line));
  }
  return lines;
}

StepResult<Client*> find_client(const Site& site, const Clients& clients, const StepContext& context,
                                std::string_view action) {
  SP_CHECK(check_allowed(site, context, action));
  SP_TRY(const auto* connection, find_connection(site, context.connection, "http"));
  return clients.find(connection->name);
}

}  // namespace sallyport::connectors::http
