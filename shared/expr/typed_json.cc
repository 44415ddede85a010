#include "shared/base/json.h"
#include "shared/expr/convert.h"
#include "shared/expr/failure.h"
#include "shared/expr/request.h"
#include "shared/expr/time.h"

#include <cmath>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

Value tagged(std::string_view type, Value value) {
  return Value(ValueMap{{Value("type"), Value(type)}, {Value("value"), std::move(value)}});
}

Value typed_double(double number) {
  if (!std::isfinite(number)) return tagged("double", Value(double_text(number)));
  ValueMap made = tagged("double", Value(number)).as_map();
  if (number == 0 && std::signbit(number)) made.emplace(Value("negative_zero"), Value(true));
  return Value(std::move(made));
}

Value typed_map(const ValueMap& map) {
  ValueList entries;
  for (const auto& [key, value] : map) {
    entries.emplace_back(ValueMap{{Value("key"), to_typed_json(key)}, {Value("value"), to_typed_json(value)}});
  }
  return tagged("map", Value(std::move(entries)));
}

Result<Value> wrong(std::string_view what) { return fail(Errc::invalid, "typed JSON: " + std::string(what)); }

// An evaluator's answer as a Result, for the readers of text forms.
Result<Value> read(Answer answer) {
  if (!answer) return fail(Errc::invalid, "typed JSON: " + answer.error().message);
  return *std::move(answer);
}

Result<Value> read_double(const Value& typed, const Value& value) {
  if (const auto* negative = typed.find("negative_zero"); negative != nullptr && *negative == Value(true))
    return Value(-0.0);
  if (value.is(Kind::float64)) return value;
  if (value.is(Kind::int64)) return Value(static_cast<double>(value.as_int()));
  if (value.is(Kind::uint64)) return Value(static_cast<double>(value.as_uint()));
  if (value == Value("NaN")) return Value(std::nan(""));
  if (value == Value("Infinity")) return Value(HUGE_VAL);
  if (value == Value("-Infinity")) return Value(-HUGE_VAL);
  return wrong("a double is a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
}

Result<Value> read_integer(const Value& value, std::string_view type) {
  if (type == "int" && value.is(Kind::int64)) return value;
  if (type == "uint" && value.is(Kind::uint64)) return value;
  if (type == "uint" && value.is(Kind::int64) && value.as_int() >= 0)
    return Value(static_cast<std::uint64_t>(value.as_int()));
  return wrong("an integer is out of range or no integer");
}

Result<Value> read_list(const Value& value) {
  if (!value.is(Kind::list)) return wrong("the value of a list is a list");
  ValueList list;
  for (const auto& element : value.as_list()) {
    SP_TRY(auto made, from_typed_json(element));
    list.push_back(std::move(made));
  }
  return Value(std::move(list));
}

Result<Value> read_map(const Value& value) {
  if (!value.is(Kind::list)) return wrong("the value of a map is a list of {\"key\", \"value\"}");
  ValueMap map;
  for (const auto& entry : value.as_list()) {
    const auto *key = entry.find("key"), *held = entry.find("value");
    if (key == nullptr || held == nullptr) return wrong("a map entry has \"key\" and \"value\"");
    SP_TRY(auto made_key, from_typed_json(*key));
    SP_TRY(auto made_value, from_typed_json(*held));
    const bool is_key = made_key.is(Kind::string) || made_key.is(Kind::boolean) || made_key.is(Kind::int64) ||
                        made_key.is(Kind::uint64);
    if (!is_key) return wrong("a map key is a bool, int, uint or string");
    if (!map.emplace(std::move(made_key), std::move(made_value)).second) return wrong("a map has a key twice");
  }
  return Value(std::move(map));
}

Result<Value> read_text_form(const Value& value, std::string_view type) {
  if (!value.is(Kind::string)) return wrong("the value of " + std::string(type) + " is a string");
  const auto& text = value.as_string();
  if (type == "string") return value;
  if (type == "type") return Value(TypeName{text});
  if (type == "bytes") {
    SP_TRY(auto bytes, from_base64(text));
    return Value(std::move(bytes));
  }
  return read(type == "timestamp" ? parse_timestamp(text) : parse_duration_text(text));
}

}  // namespace

Value to_typed_json(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return tagged("null", value);
    case Kind::boolean: return tagged("bool", value);
    case Kind::int64: return tagged("int", value);
    case Kind::uint64: return tagged("uint", value);
    case Kind::float64: return typed_double(value.as_double());
    case Kind::string: return tagged("string", value);
    case Kind::bytes: return tagged("bytes", Value(base64(value.as_bytes())));
    case Kind::map: return typed_map(value.as_map());
    case Kind::timestamp: return tagged("timestamp", Value(time_text(value)));
    case Kind::duration: return tagged("duration", Value(time_text(value)));
    case Kind::type: return tagged("type", Value(value.as_type().name));
    case Kind::list: break;
    case Kind::handle:
      return Value(ValueMap{{Value("type"), Value("handle")},
                            {Value("kind"), Value(value.as_handle().kind)},
                            {Value("attributes"), typed_map(value.as_handle().attributes)}});
  }
  ValueList list;
  for (const auto& element : value.as_list()) list.push_back(to_typed_json(element));
  return tagged("list", Value(std::move(list)));
}

Result<Value> from_typed_json(const Value& typed) {
  const auto *type = typed.find("type"), *value = typed.find("value");
  if (!typed.is(Kind::map) || type == nullptr || !type->is(Kind::string))
    return wrong("a value is {\"type\": ..., \"value\": ...}");
  const auto& name = type->as_string();
  if (name == "null") return Value();
  if (value == nullptr) return wrong("\"value\" is missing");
  if (name == "bool") return value->is(Kind::boolean) ? Result<Value>(*value) : wrong("a bool is true or false");
  if (name == "int" || name == "uint") return read_integer(*value, name);
  if (name == "double") return read_double(typed, *value);
  if (name == "list") return read_list(*value);
  if (name == "map") return read_map(*value);
  if (name == "string" || name == "bytes" || name == "timestamp" || name == "duration" || name == "type")
    return read_text_form(*value, name);
  return wrong("unknown type '" + name + "'");
}

}  // namespace sallyport::expr
