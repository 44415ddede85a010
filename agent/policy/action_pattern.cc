#include "agent/policy/action_pattern.h"

#include "agent/policy/reading.h"

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 4> kReachNothing{"log.write@1", "manual@1", "schedule@1", "wait.for@1"};

}  // namespace

bool is_action_pattern(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || !is_config_name(text.substr(0, dot))) return false;
  const auto rest = text.substr(dot + 1);
  return rest == "*" || rest.contains('@');
}

bool action_matches(std::string_view pattern, std::string_view action) {
  if (!pattern.ends_with(".*")) return pattern == action;
  return action.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool reaches_nothing(std::string_view action) {
  return std::ranges::find(kReachNothing, action) != kReachNothing.end();
}

}  // namespace sallyport::policy
