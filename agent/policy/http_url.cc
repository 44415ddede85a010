#include "agent/policy/http_url.h"

#include "agent/policy/reading.h"
#include "shared/base/host.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::policy {
namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

std::optional<std::vector<std::string>> plain_segments(std::string_view path) {
  std::vector<std::string> segments;
  if (path.ends_with('/')) path.remove_suffix(1);
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash before it
    const auto segment = path.substr(0, path.find('/'));
    if (!is_plain_segment(segment)) return std::nullopt;
    segments.emplace_back(segment);
    path.remove_prefix(segment.size());
  }
  return segments;
}

}  // namespace

bool is_plain_segment(std::string_view segment) {
  constexpr std::string_view kAlso = "-._~!$&'()*+,;=:@";
  const auto fits = [&](char c) { return is_alphanumeric(c) || kAlso.contains(c); };
  return !segment.empty() && segment != "." && segment != ".." && std::ranges::all_of(segment, fits);
}

std::string HttpUrl::origin() const {
  const auto shown = host.contains(':') ? fmt::format("[{}]", host) : host;
  return fmt::format("{}://{}:{}", scheme, shown, port);
}

std::optional<HttpUrl> parse_http_url(std::string_view text) {
  HttpUrl url;
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  url.scheme = text.substr(0, colon);
  if (url.scheme != "https" && url.scheme != "http") return std::nullopt;
  text.remove_prefix(colon + 3);
  const auto slash = std::min(text.find('/'), text.size());
  const auto where = parse_host_port(text.substr(0, slash));
  if (!where || where->host.contains('%')) return std::nullopt;
  auto host = canonical_host(where->host);
  auto segments = plain_segments(text.substr(slash));
  if (!host || !segments) return std::nullopt;
  url.host = *std::move(host);
  url.port = where->port != 0 ? where->port : (url.is_clear_text() ? 80 : 443);
  url.segments = *std::move(segments);
  return url;
}

HttpUrl read_http_url(yaml::FieldReader& fields, std::string_view name) {
  const auto text = fields.text(name, yaml::Need::required);
  if (!text) return {};
  if (auto url = parse_http_url(*text)) return *std::move(url);
  fields.problem(name, "bad-url",
                 fmt::format("`{}` must be https://host, with a port and a path if need be; without a user, a query or "
                             "percent signs",
                             name));
  return {};
}

}  // namespace sallyport::policy
