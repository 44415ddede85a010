#include "relay/api/replies.h"

#include "shared/base/json.h"
#include "shared/http/problem.h"

namespace sallyport::api {

http::Response json_response(int status, const Value& value) {
  http::Response response{.status = status, .body = to_json(value)};
  response.headers.set("Content-Type", "application/json");
  return response;
}

http::Response text_response(std::string_view content_type, std::string body) {
  http::Response response{.body = std::move(body)};
  response.headers.set("Content-Type", content_type);
  return response;
}

Answer no_content() { return {http::Response{.status = 204}}; }

Answer changed_meanwhile(std::string_view what) {
  return {http::to_response(
      {412, "precondition", "The " + std::string(what) + " has changed since: read it again, then decide.", {}})};
}

Answer unfit(std::string where, std::string what) {
  return {http::to_response({422, "invalid", "The body does not fit.", {{std::move(where), std::move(what)}}})};
}

Answer created(std::string_view location, const Value& value) {
  auto response = json_response(201, value);
  response.headers.set("Location", location);
  return {std::move(response)};
}

Object& Object::put(std::string_view name, Value value) {
  members_.insert_or_assign(Value(name), std::move(value));
  return *this;
}

Value page_value(ValueList items, const std::string& next) {
  return Value(
      ValueMap{{Value("items"), Value(std::move(items))}, {Value("next"), next.empty() ? Value() : Value(next)}});
}

}  // namespace sallyport::api
