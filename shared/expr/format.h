#pragma once

#include "shared/expr/failure.h"

namespace sallyport::expr {

// string.format(): "%s", "%d", "%.2f", "%e", "%b", "%o", "%x", "%X" and "%%" of the strings extension (cel-spec,
// doc/extensions/strings.md), filled from `arguments` in order. "%s" and "%d" write a double without an exponent.
Answer formatted(std::string_view pattern, const ValueList& arguments, Budget& budget);

}  // namespace sallyport::expr
