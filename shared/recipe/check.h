#pragma once

#include "shared/recipe/catalogue.h"

#include <optional>
#include <string>
#include <string_view>

// The one place that knows whether a value fits a field; used on what was written (loader) and on what expressions gave
// (bind_arguments). Private to this folder.
namespace sallyport::recipe {

struct Fault {
  std::string_view rule;
  std::string message;  // names the field, never the value
};

// What is wrong with `value` for `field`, if anything: type, choices, range, pattern, schedule, time zone. Fields
// inside a list are not looked at. Null fits nothing but `any`.
std::optional<Fault> check_value(const Field& field, const Value& value);

// A value written for `field` would be text if it stood in quotes.
bool lacks_quotes(const Field& field, const Value& value);

// What is wrong with a pattern of file names; empty when nothing is.
std::string glob_problem(std::string_view pattern);

// The field, or one inside its elements, is literal only: an expression may not give it.
bool must_be_written_out(const Field& field);

const Field* find_field(std::span<const Field> fields, std::string_view name);
std::vector<std::string_view> names_of(std::span<const Field> fields);

}  // namespace sallyport::recipe
