#include "agent/policy/action_pattern.h"

#include "agent/policy/reading.h"
#include "shared/recipe/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 5> kReachNothing{"log.write@1", "manual@1", "schedule@1", "wait.for@1",
                                                        "webhook@1"};

std::vector<std::string_view> names_of_all() {
  std::vector<std::string_view> names;
  for (const auto& action : recipe::actions()) names.push_back(action.name);
  for (const auto& trigger : recipe::triggers()) names.push_back(trigger.name);
  return names;
}

std::string kind_of(std::string_view name) { return std::string(name.substr(0, name.find('.'))) + ".*"; }

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

std::optional<std::string> unknown_action(std::string_view pattern) {
  const auto names = names_of_all();
  if (std::ranges::any_of(names, [&](auto name) { return action_matches(pattern, name); })) return std::nullopt;
  if (!pattern.ends_with(".*")) {
    return fmt::format("this agent has no action or trigger {}{}", yaml::quoted(pattern),
                       yaml::suggestion(pattern, names));
  }
  std::vector<std::string> kinds;
  for (const auto name : names) {
    if (name.contains('.')) kinds.push_back(kind_of(name));
  }
  const std::vector<std::string_view> candidates(kinds.begin(), kinds.end());
  return fmt::format("no action or trigger of this agent matches {}{}", yaml::quoted(pattern),
                     yaml::suggestion(pattern, candidates));
}

bool reaches_nothing(std::string_view action) {
  return std::ranges::find(kReachNothing, action) != kReachNothing.end();
}

}  // namespace sallyport::policy
