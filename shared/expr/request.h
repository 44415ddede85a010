#pragma once

#include "shared/expr/expr.h"

namespace sallyport::expr {

// Typed JSON: every value says its type, so that nothing is lost on the way through JSON.
//   int, uint {"type":"int","value":1}     double {"type":"double","value":1.5 | "NaN" | "Infinity" | "-Infinity"},
//   with "negative_zero": true for -0.0         bool, string, null            bytes: base64 list
//   {"type":"list","value":[typed...]}          map {"type":"map","value":[{"key":typed,"value":typed}...]} timestamp:
//   RFC 3339      duration: "3.5s"        type: its name      handle: {"kind":...,"attributes":typed map}
Value to_typed_json(const Value& value);
Result<Value> from_typed_json(const Value& typed);

// Evaluates one request, a map of
//   expr            the expression (required)       id              anything; comes back as "id"
//   bindings, with  plain JSON values by name       typed_bindings  the same in typed JSON
//   container       namespace for names: at most    types           declared types by name: "int",
//                   256 bytes, 32 parts                             "list(string)", ...
//   check           true: refuse what the checker refuses; false: do not check; absent: see below
// and gives the result as typed JSON, or {"error": {"message", "line", "column"}}. Bound names need no declaration.
// Without `check`, an expression that the checker refuses is evaluated all the same, as people try things with plain
// JSON: a result then carries "warning": {"message", "line", "column"}; an error is the checker's. Unknown members are
// errors. Null stands for an absent member. An error of the request itself is at line 0, column 0.
// `defaults`: values of names that the request does not bind.
Value evaluate_request(const Value& request, const ValueMap& defaults = {});

}  // namespace sallyport::expr
