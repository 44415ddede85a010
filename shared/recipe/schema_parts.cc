#include "shared/recipe/schema_parts.h"

#include "shared/base/json.h"
#include "shared/recipe/check.h"

#include <algorithm>

namespace sallyport::recipe::schema {
namespace {

Value type(std::string_view name) { return object({{"type", Value(name)}}); }

Value names(const auto& list) {
  ValueList out;
  for (auto name : list) out.emplace_back(name);
  return Value(std::move(out));
}

Value fields_schema(std::span<const Field> fields);

Value literal_text(const Field& field) {
  if (!field.choices.empty()) return object({{"enum", names(field.choices)}});
  return has(field.traits, Traits::literal_only) ? ref("literal") : type("string");
}

Value integer(const Field& field) {
  ValueMap made = type("integer").as_map();
  if (field.min != Field{}.min) made.emplace(Value("minimum"), Value(field.min));
  if (field.max != Field{}.max) made.emplace(Value("maximum"), Value(field.max));
  return Value(std::move(made));
}

// What may be written for a field: literals of its types, or an expression unless it is literal only.
Value field_schema(const Field& field) {
  if (has(field.types, Types::any)) return object({});
  ValueList choices;
  if (has(field.types, Types::text)) choices.push_back(literal_text(field));
  if (has(field.types, Types::duration)) choices.push_back(ref("duration"));
  if (has(field.types, Types::integer)) choices.push_back(integer(field));
  if (has(field.types, Types::number)) choices.push_back(type("number"));
  if (has(field.types, Types::boolean)) choices.push_back(type("boolean"));
  if (has(field.types, Types::map)) choices.push_back(type("object"));
  if (has(field.types, Types::list)) {
    choices.push_back(field.inside.empty()
                          ? type("array")
                          : object({{"type", "array"}, {"minItems", 1}, {"items", fields_schema(field.inside)}}));
  }
  const bool takes_any_text = has(field.types, Types::text) && field.choices.empty();
  if (!must_be_written_out(field) && !takes_any_text) choices.push_back(ref("expression"));
  return choices.size() == 1 ? choices.front() : object({{"anyOf", Value(std::move(choices))}});
}

Value fields_schema(std::span<const Field> fields) {
  ValueMap properties;
  std::vector<std::string_view> needed;
  for (const auto& field : fields) {
    auto made = field_schema(field).as_map();
    made.emplace(Value("description"), Value(field.doc));
    if (!field.default_json.empty()) made.emplace(Value("default"), parse_json(field.default_json).value_or(Value()));
    properties.emplace(Value(field.name), Value(std::move(made)));
    if (field.required()) needed.push_back(field.name);
  }
  return object({{"type", "object"},
                 {"properties", Value(std::move(properties))},
                 {"required", names(needed)},
                 {"additionalProperties", false}});
}

}  // namespace

Value object(std::initializer_list<std::pair<std::string_view, Value>> members) {
  ValueMap made;
  for (const auto& [name, value] : members) made.emplace(Value(name), value);
  return Value(std::move(made));
}

Value ref(std::string_view definition) { return object({{"$ref", Value("#/$defs/" + std::string(definition))}}); }

Value text(std::string_view pattern) { return object({{"type", "string"}, {"pattern", Value(pattern)}}); }

Value required(std::initializer_list<std::string_view> list) { return object({{"required", names(list)}}); }

Properties& Properties::add(std::string_view name, Value schema, std::string_view description) {
  auto made = schema.as_map();
  made.emplace(Value("description"), Value(description));
  properties_.emplace(Value(name), Value(std::move(made)));
  return *this;
}

Value Properties::closed(std::initializer_list<std::string_view> needed, Value all_of) const {
  ValueMap made =
      object({{"type", "object"}, {"properties", Value(properties_)}, {"additionalProperties", false}}).as_map();
  if (needed.size() > 0) made.emplace(Value("required"), names(needed));
  if (!all_of.is_null()) made.emplace(Value("allOf"), std::move(all_of));
  return Value(std::move(made));
}

Value when_uses(const Operation& operation) {
  auto with = fields_schema(operation.fields).as_map();
  if (!operation.exactly_one.empty()) {
    ValueList one_of;
    for (auto name : operation.exactly_one) one_of.push_back(required({name}));
    with.emplace(Value("oneOf"), Value(std::move(one_of)));
  }
  ValueMap then = object({{"properties", object({{"with", Value(std::move(with))}})}}).as_map();
  std::vector<std::string_view> needed;
  if (!operation.connections.empty()) needed.emplace_back("connection");
  const bool needs_with = std::ranges::any_of(operation.fields, &Field::required) || !operation.exactly_one.empty();
  if (needs_with) needed.emplace_back("with");
  if (!needed.empty()) then.emplace(Value("required"), names(needed));
  if (operation.connections.empty()) then.emplace(Value("not"), required({"connection"}));
  const auto uses = object({{"properties", object({{"uses", object({{"const", Value(operation.name)}})}})},
                            {"required", Value(ValueList{"uses"})}});
  return object({{"if", uses}, {"then", Value(std::move(then))}});
}

}  // namespace sallyport::recipe::schema
