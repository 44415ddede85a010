#include "tests/unit/relay/api/response_schema.h"

#include "relay/api/openapi_document.h"
#include "shared/base/json.h"
#include "shared/base/text.h"

#include <algorithm>
#include <regex>
#include <set>
#include <stdexcept>

namespace sallyport::test {
namespace {

enum class Members { listed, any };  // which an object may have

const Value& document() {
  static const Value doc = parse_json(api::openapi_json()).value();
  return doc;
}

const Value& schema_named(std::string_view name) {
  const auto* found = document().find("components")->find("schemas")->find(name);
  if (found == nullptr) throw std::runtime_error("the document has no schema " + std::string(name));
  return *found;
}

const Value& resolve(const Value& schema) {
  const auto* ref = schema.find("$ref");
  if (ref == nullptr) return schema;
  const auto& path = ref->as_string();
  return schema_named(path.substr(path.rfind('/') + 1));
}

bool is_of(const Value& value, const std::string& type) {
  switch (value.kind()) {
    case Value::Kind::null: return type == "null";
    case Value::Kind::boolean: return type == "boolean";
    case Value::Kind::int64:
    case Value::Kind::uint64: return type == "integer" || type == "number";
    case Value::Kind::float64: return type == "number";
    case Value::Kind::string: return type == "string";
    case Value::Kind::list: return type == "array";
    case Value::Kind::map: return type == "object";
    default: return false;
  }
}

bool has_type(const Value& wanted, const Value& value) {
  if (wanted.is(Value::Kind::string)) return is_of(value, wanted.as_string());
  return std::ranges::any_of(wanted.as_list(), [&](const Value& one) { return is_of(value, one.as_string()); });
}

void list_members(const Value& schema, std::set<std::string>& names) {
  const auto& here = resolve(schema);
  if (const auto* properties = here.find("properties")) {
    for (const auto& [name, _] : properties->as_map()) names.insert(name.as_string());
  }
  if (const auto* parts = here.find("allOf")) {
    for (const auto& part : parts->as_list()) list_members(part, names);
  }
}

std::string check(const Value& schema, const Value& value, const std::string& where, Members members);

std::string check_text(const Value& schema, const Value& value, const std::string& where) {
  const auto& text = value.as_string();
  if (const auto* pattern = schema.find("pattern")) {
    if (!std::regex_search(text, std::regex(pattern->as_string())))
      return where + ": does not fit its pattern: " + text;
  }
  const auto* format = schema.find("format");
  if (format != nullptr && format->as_string() == "date-time" && !parse_rfc3339(text)) {
    return where + ": is no date-time: " + text;
  }
  return {};
}

std::string check_list(const Value& schema, const Value& value, const std::string& where) {
  const auto* items = schema.find("items");
  for (std::size_t i = 0; items != nullptr && i < value.as_list().size(); ++i) {
    if (auto fault = check(*items, value.as_list()[i], where + "/" + std::to_string(i), Members::listed);
        !fault.empty())
      return fault;
  }
  return {};
}

std::string check_object(const Value& schema, const Value& value, const std::string& where, Members members) {
  if (const auto* required = schema.find("required")) {
    for (const auto& name : required->as_list()) {
      if (value.find(name.as_string()) == nullptr) return where + ": lacks " + name.as_string();
    }
  }
  if (const auto* properties = schema.find("properties")) {
    for (const auto& [name, part] : properties->as_map()) {
      const auto* member = value.find(name.as_string());
      if (member == nullptr) continue;
      if (auto fault = check(part, *member, where + "/" + name.as_string(), Members::listed); !fault.empty())
        return fault;
    }
  }
  std::set<std::string> known;
  list_members(schema, known);
  const auto* more = schema.find("additionalProperties");
  const bool closed = members == Members::listed && (more != nullptr ? *more == Value(false) : !known.empty());
  for (const auto& [name, _] : value.as_map()) {
    if (closed && !known.contains(name.as_string())) return where + ": must not have " + name.as_string();
  }
  return {};
}

std::string check_parts(const Value& schema, const Value& value, const std::string& where) {
  if (const auto* all = schema.find("allOf")) {
    for (const auto& part : all->as_list()) {
      if (auto fault = check(part, value, where, Members::any); !fault.empty()) return fault;
    }
  }
  if (const auto* one = schema.find("oneOf")) {
    const auto fits = std::ranges::count_if(
        one->as_list(), [&](const Value& part) { return check(part, value, where, Members::listed).empty(); });
    if (fits != 1) return where + ": fits " + std::to_string(fits) + " of its alternatives";
  }
  return {};
}

std::string check(const Value& given, const Value& value, const std::string& where, Members members) {
  static const std::set<std::string> kKnown{"type",        "allOf",    "oneOf",      "enum",
                                            "pattern",     "format",   "items",      "minimum",
                                            "description", "required", "properties", "additionalProperties"};
  const auto& schema = resolve(given);
  for (const auto& [keyword, _] : schema.as_map()) {
    if (!kKnown.contains(keyword.as_string())) return where + ": unknown keyword " + keyword.as_string();
  }
  if (const auto* type = schema.find("type"); type != nullptr && !has_type(*type, value)) {
    return where + ": has another type than " + to_json(*type);
  }
  if (const auto* among = schema.find("enum")) {
    if (std::ranges::find(among->as_list(), value) == among->as_list().end()) return where + ": is none of its values";
  }
  if (const auto* least = schema.find("minimum"); least != nullptr && value.is(Value::Kind::int64)) {
    if (value.as_int() < least->as_int()) return where + ": is too small";
  }
  if (auto fault = check_parts(schema, value, where); !fault.empty()) return fault;
  if (value.is(Value::Kind::string)) return check_text(schema, value, where);
  if (value.is(Value::Kind::list)) return check_list(schema, value, where);
  if (value.is(Value::Kind::map)) return check_object(schema, value, where, members);
  return {};
}

}  // namespace

std::string misfit(std::string_view schema, const Value& value) { return misfit_by(schema_named(schema), value); }

std::string misfit_by(const Value& schema, const Value& value) { return check(schema, value, "", Members::listed); }

}  // namespace sallyport::test
