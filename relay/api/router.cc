#include "relay/api/router.h"

#include <algorithm>

namespace sallyport::api {
namespace {

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

std::vector<std::string_view> split(std::string_view pattern) {
  std::vector<std::string_view> out;
  while (pattern.size() > 1) {
    pattern.remove_prefix(1);
    const auto end = std::min(pattern.find('/'), pattern.size());
    out.push_back(pattern.substr(0, end));
    pattern.remove_prefix(end);
  }
  return out;
}

bool fits(const std::vector<std::string_view>& pattern, const std::vector<std::string>& segments) {
  return std::ranges::equal(pattern, segments, [](std::string_view wanted, const std::string& got) {
    return is_parameter(wanted) || wanted == got;
  });
}

std::string shape(const std::vector<std::string_view>& segments) {
  std::string out;
  for (const auto segment : segments) out += is_parameter(segment) ? '1' : '0';
  return out;
}

}  // namespace

Router::Router(std::span<const Route> routes) {
  for (const auto& route : routes) entries_.push_back({&route, split(route.pattern)});
  std::ranges::sort(entries_, {}, [](const Entry& entry) {
    return std::pair(shape(entry.segments),
                     std::string(entry.route->pattern) + std::string(to_string(entry.route->method)));
  });
}

std::variant<Match, NoSuchPath, WrongMethod> Router::find(http::Method method,
                                                          const std::vector<std::string>& segments) const {
  const auto wanted = method == http::Method::head ? http::Method::get : method;
  std::string allow, allowed_shape;
  for (const auto& entry : entries_) {
    if (!fits(entry.segments, segments)) continue;
    // Once a more literal pattern fitted, a less literal one is another resource.
    if (!allow.empty() && shape(entry.segments) != allowed_shape) break;
    if (entry.route->method == wanted) {
      Match match{entry.route, {}};
      for (std::size_t i = 0; i < segments.size(); ++i) {
        if (is_parameter(entry.segments[i])) match.parameters.push_back(segments[i]);
      }
      return match;
    }
    allow += (allow.empty() ? "" : ", ") + std::string(to_string(entry.route->method));
    allowed_shape = shape(entry.segments);
  }
  if (allow.empty()) return NoSuchPath{};
  return WrongMethod{std::move(allow)};
}

}  // namespace sallyport::api
