#pragma once

#include "shared/expr/ast.h"

namespace sallyport::expr {

// Turns a call that is a macro (has, all, exists, exists_one, map, filter, the transform* macros, cel.bind) into its
// own node, in place. A call of a macro's name with another number of arguments stays a call.
Outcome<void> expand_macro(Ast& ast, Node& call);

}  // namespace sallyport::expr
