#include "relay/cli/reach_text.h"

#include "relay/cli/output.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

bool is_set(const Value& map, std::string_view member) {
  const auto* value = map.find(member);
  return value != nullptr && *value == Value(true);
}

// For the end of a sentence.
std::string reason_of(const Value& reach) {
  const auto detail = text_of(reach, "detail");
  return detail.empty() ? "" : ": " + detail;
}

std::string refused_text(const Value& reach, const std::string& target) {
  return fmt::format(
      "the policy of agent {} does not allow {} ({})\n"
      "to allow it, write this into policy.yaml on its host, and restart the agent:\n"
      "  tunnels:\n"
      "    - {{target: {}}}\n",
      text_of(reach, "agent_name"), target, text_of(reach, "rule"), to_json(Value(target)));
}

std::string plain_text(const Value& reach, const std::string& target) {
  const auto agent = text_of(reach, "agent_name");
  if (!is_set(reach, "asked")) return fmt::format("no agent could be asked{}\n", reason_of(reach));
  if (is_set(reach, "allowed") && is_set(reach, "answers")) {
    return fmt::format("the policy of agent {} allows {}, and it answers ({} ms)\n", agent, target,
                       cell_of(reach.find("connect_ms")));
  }
  if (is_set(reach, "allowed"))
    return fmt::format("the policy of agent {} allows {}, but it does not answer{}\n", agent, target, reason_of(reach));
  if (!text_of(reach, "rule").empty()) return refused_text(reach, target);
  return fmt::format("agent {} does not say whether {} can be reached{}\n", agent, target, reason_of(reach));
}

}  // namespace

std::string reach_text(const Value& reach, const std::string& target) {
  return terminal_safe_lines(plain_text(reach, target));
}

bool is_reachable(const Value& reach) { return is_set(reach, "allowed") && is_set(reach, "answers"); }

}  // namespace sallyport::cli
