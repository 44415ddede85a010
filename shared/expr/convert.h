#pragma once

#include "shared/expr/failure.h"

namespace sallyport::expr {

// What string() makes of a value: numbers in their shortest form, bytes as UTF-8, times in RFC 3339 and "3.5s".
// No overload for null, list, map, type and handle.
Answer to_text(const Value& value);

// A double as string() writes it: ECMAScript's shortest form, "-0", "NaN", "Infinity", "-Infinity".
std::string double_text(double number);

}  // namespace sallyport::expr
