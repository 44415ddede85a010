#include "agent/connectors/site.h"

#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport::connectors {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kReasons{{
    {"not_found", "it is not there"},
    {"permission", "the agent was refused"},
    {"timeout", "it did not answer in time"},
    {"connection", "it could not be reached"},
}};

}  // namespace

StepResult<void> check_going_on(const Site& site, const StepContext& context) {
  if (context.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (site.clock.steady() >= context.deadline) return step_fail("timeout", "the step did not end in time");
  return {};
}

StepError without_settings(const Log& log, std::string_view connection, std::string_view what, StepError error) {
  if (error.error_class() == "cancelled") return error;
  const auto& general = error.classes.back();
  log.warn("connection.failed", {{"connection", connection}, {"class", general}, {"why", error.message}});
  const auto it = std::ranges::find(kReasons, general, &std::pair<std::string_view, std::string_view>::first);
  const std::string_view reason = it == kReasons.end() ? "its settings do not work" : it->second;
  error.message = fmt::format("{} {}: {}; the agent's log says more", what, connection, reason);
  return error;
}

StepResult<const policy::Connection*> find_connection(const Site& site, std::string_view name, std::string_view kind) {
  const auto it = site.connections.find(name);
  if (it == site.connections.end()) {
    return step_fail(
        "not_found",
        fmt::format("this agent has no connection \"{}\"; the operator can add it to connections.yaml", name));
  }
  if (it->second.kind() != kind)
    return step_fail("invalid",
                     fmt::format("the connection \"{}\" is of kind {}, not {}", name, it->second.kind(), kind));
  return &it->second;
}

StepResult<void> check_allowed(const Site& site, const StepContext& context, std::string_view action) {
  return to_step(site.policy.check_action(action, context.connection));
}

}  // namespace sallyport::connectors
