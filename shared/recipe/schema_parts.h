#pragma once

#include "shared/recipe/catalogue.h"

#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

// Pieces of JSON Schema. Private to this folder.
namespace sallyport::recipe::schema {

Value object(std::initializer_list<std::pair<std::string_view, Value>> members);
Value ref(std::string_view definition);  // {"$ref": "#/$defs/NAME"}
Value text(std::string_view pattern);    // a text that matches
Value required(std::initializer_list<std::string_view> names);

// The properties of an object that has no others.
class Properties {
 public:
  Properties& add(std::string_view name, Value schema, std::string_view description);
  Value closed(std::initializer_list<std::string_view> required, Value all_of = Value()) const;

 private:
  ValueMap properties_;
};

struct Operation {
  std::string_view name;
  std::span<const std::string_view> connections;
  std::span<const Field> fields;
  std::span<const std::string_view> exactly_one;
};
// What holds for `connection` and `with` when `uses` is this trigger or action.
Value when_uses(const Operation& operation);

}  // namespace sallyport::recipe::schema
