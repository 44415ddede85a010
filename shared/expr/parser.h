#pragma once

#include "shared/expr/ast.h"

namespace sallyport::expr {

// Source to tree, macros expanded (cel-spec, "Syntax" and "Macros"). Neither stack nor memory grow beyond what `limits`
// allow.
Outcome<Ast> parse(std::string_view source, CompileLimits limits);

}  // namespace sallyport::expr
