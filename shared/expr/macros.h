#pragma once

#include "shared/expr/ast.h"

namespace sallyport::expr {

// Turns a call that is a macro (has, all, exists, exists_one, map, filter, the transform* macros, cel.bind) into its
// own node, in place. A call of a macro's name with another number of arguments stays a call.
Outcome<void> expand_macro(Ast& ast, Node& call);

// What is wrong with a call that has the name of a macro and stayed a call: "all() takes 2 or 3 arguments: ...". Empty
// when no macro has this name.
std::string misused_macro(const Ast& ast, const Node& call);

// Those that are called as x.name(), for hints.
std::span<const std::string_view> macro_names();

}  // namespace sallyport::expr
