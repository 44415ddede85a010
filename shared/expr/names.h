#pragma once

#include "shared/expr/ast.h"
#include "shared/expr/patterns.h"

namespace sallyport::expr {

// Finds out what every name in the tree means: a variable of a macro (gets its slot), a declared variable (`a.b.c`
// becomes one identifier if that whole name is declared), a type, a function. Takes literal patterns of matches() from
// `patterns`.
// What cannot be found is a problem with Checking::strict; with Checking::off the node remembers it in `unresolved`.
Outcome<void> resolve_names(Ast& ast, const Environment& environment, Checking checking, Patterns& patterns);

// The declared names that the tree uses, in the order of the source.
std::vector<Reference> references_in(const Ast& ast);

}  // namespace sallyport::expr
