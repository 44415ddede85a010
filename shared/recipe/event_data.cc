#include "shared/recipe/event_data.h"

#include "shared/base/json.h"
#include "shared/base/text.h"

#include <utility>

namespace sallyport::recipe {

Value text_or_base64(std::string_view bytes) {
  return is_valid_utf8(bytes) ? Value(bytes) : Value(base64(as_bytes(bytes)));
}

void add_body(ValueMap& data, std::string body) {
  const auto first = body.find_first_not_of(" \t\r\n");
  Value json;
  if (first != std::string::npos && (body[first] == '{' || body[first] == '['))
    json = parse_json(body).value_or(Value());
  const bool is_text = is_valid_utf8(body);
  data.insert_or_assign("json", std::move(json));
  data.insert_or_assign("base64", is_text ? Value() : Value(base64(as_bytes(body))));
  data.insert_or_assign("body", is_text ? Value(std::move(body)) : Value());
}

bool fits_event(const Value& data) { return stored_json(data).size() <= kMostEventBytes; }

}  // namespace sallyport::recipe
