#pragma once

#include "shared/expr/ast.h"

namespace sallyport::expr {

// Works out the types of a tree whose names are resolved, and refuses what can only fail (cel-spec, "Gradual Type
// Checking"): no overload for the known types, selection from what has no fields, a macro over what has no elements.
Outcome<Type> check_types(const Ast& ast, const Environment& environment);

}  // namespace sallyport::expr
