#pragma once

#include "relay/api/call.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"

#include <optional>
#include <string>
#include <utility>

// Building blocks of handlers' answers.
namespace sallyport::api {

http::Response json_response(int status, const Value& value);
http::Response text_response(std::string_view content_type, std::string body);
inline Answer ok(const Value& value) { return {json_response(200, value)}; }
Answer no_content();
// 412: If-Match names another state than the present one.
Answer changed_meanwhile(std::string_view what);
// 422: what is wrong with the body beyond its schema; `where` is a member's place ("/expires_at").
Answer unfit(std::string where, std::string what);
Answer created(std::string_view location, const Value& value);

// {"items": [...], "next": "cursor" or null}
Value page_value(ValueList items, const std::string& next);
template <class T, class ToValue>
Value page_value(const store::Page<T>& page, ToValue to_value) {
  ValueList items;
  for (const auto& item : page.items) items.push_back(to_value(item));
  return page_value(std::move(items), page.next);
}

// A JSON object, member by member.
class Object {
 public:
  Object& put(std::string_view name, Value value);
  Object& put(std::string_view name, WallTime at) { return put(name, Value(rfc3339(at))); }
  template <class Tag>
  Object& put(std::string_view name, const Id<Tag>& id) {
    return put(name, Value(id.value));
  }
  template <class T>
  Object& put(std::string_view name, const std::optional<T>& value) {  // absent: null
    return value ? put(name, *value) : put(name, Value());
  }
  Object& put(std::string_view name, std::uint32_t number) {
    return put(name, Value(static_cast<std::int64_t>(number)));
  }
  Object& put(std::string_view name, std::uint64_t number) {
    return put(name, Value(static_cast<std::int64_t>(number)));
  }
  Value done() { return Value(std::move(members_)); }

 private:
  ValueMap members_;
};

}  // namespace sallyport::api
