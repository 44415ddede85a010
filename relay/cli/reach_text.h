#pragma once

#include "shared/base/value.h"

#include <string>

namespace sallyport::cli {

// What an agent said of a tunnel's target, for people: whether its policy allows the target, whether the target
// answers, and when the policy does not allow it, the rule and the lines that would. `reach` is the API's TunnelReach
// with an `agent_name`; safe for a terminal.
std::string reach_text(const Value& reach, const std::string& target);

// Its policy allows the target, and the target answers.
bool is_reachable(const Value& reach);

}  // namespace sallyport::cli
