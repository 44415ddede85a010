#pragma once

#include "shared/expr/functions.h"

#include <span>
#include <string_view>

// What SecretUse::carry_only leaves: operations that, whatever a secret in their arguments is, give a value of the same
// form and do not fail. Everything else would let the outcome of an evaluation, which people see, depend on the secret.
// What is seen of it all the same is its length, and of a map or list made from secrets which entries it has.
namespace sallyport::expr {

bool only_carries(const Function& function, std::span<const Value> arguments);

// Why anything else is refused. `what` names it: "'charAt'", "a condition".
Failure looks_into(std::string_view what);

}  // namespace sallyport::expr
