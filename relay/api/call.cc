#include "relay/api/call.h"

namespace sallyport::api {
namespace {

const Value* member(const ValueMap& map, std::string_view name) {
  const auto it = map.find(Value(name));
  return it == map.end() ? nullptr : &it->second;
}

std::optional<std::string> text_of(const Value* value) {
  if (value == nullptr) return std::nullopt;
  return value->as_string();
}
std::optional<std::int64_t> integer_of(const Value* value) {
  if (value == nullptr) return std::nullopt;
  return value->as_int();
}

}  // namespace

std::optional<std::string> Call::text(std::string_view name) const { return text_of(body.find(name)); }
std::optional<std::int64_t> Call::integer(std::string_view name) const { return integer_of(body.find(name)); }
std::optional<std::chrono::milliseconds> Call::duration(std::string_view name) const {
  const auto written = text(name);
  return written ? parse_duration(*written) : std::nullopt;
}
std::optional<std::string> Call::query_text(std::string_view name) const { return text_of(member(query, name)); }
std::optional<std::int64_t> Call::query_integer(std::string_view name) const { return integer_of(member(query, name)); }

std::optional<WallTime> Call::query_time(std::string_view name) const {
  const auto text = query_text(name);
  return text ? parse_rfc3339(*text) : std::nullopt;
}

store::PageQuery Call::page() const {
  store::PageQuery page;
  page.after = query_text("cursor").value_or("");
  page.limit = static_cast<std::size_t>(query_integer("limit").value_or(50));
  return page;
}

}  // namespace sallyport::api
