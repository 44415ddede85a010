#pragma once

#include "shared/base/result.h"
#include "shared/base/value.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::execution {

// Why a step failed. `classes` are the words `retry.on` can name, the most precise first:
// {"sqlstate:40001", "transaction"}, {"connection"}, {"timeout"}, {"policy"}, {"exit:3", "command"}.
// The closed set of general classes: connection, timeout, cancelled, policy, invalid, not_found, constraint,
// transaction, permission, too_large, changed, disk_full, command, format, internal, in_doubt (nobody can know whether
// the effect happened: handled like a crash in the middle, by on_in_doubt and never by `retry`). `message` is for
// operators and integrators: what, where, what to do; never a secret, a row or a body.
struct StepError {
  std::vector<std::string> classes;
  std::string message;
  std::string rule;  // the local policy's rule that refused, when class is "policy"
  // What the step can tell all the same (a command's exit code and the end of its standard error): JSON types only,
  // shown, masked and bounded as the output of a step that succeeded. What is too large is left out.
  Value output = {};

  const std::string& error_class() const { return classes.front(); }
  friend bool operator==(const StepError&, const StepError&) = default;
};

template <class T = void>
using StepResult = std::expected<T, StepError>;

// What a dry run did with a step (docs/dry-run.md); `none` in a real run.
enum class Plan {
  none,
  ran,          // as ever: it has no effect
  rolled_back,  // at its target, and undone there
  planned,      // nothing: a real run would
};

// What a step gives to later steps: JSON types, bytes and handles only (no timestamps, durations, types), so that a
// job resumed from its journal sees exactly the same value (stored JSON, shared/base/json.h).
struct Output {
  Value value;  // of a step that is only planned: not known, and not read
  Plan plan = Plan::none;
  std::string remark = {};  // of a dry run, for the step's log: words of the action's own, never data
};

constexpr std::string_view to_string(Plan plan) {
  switch (plan) {
    case Plan::none: return "";
    case Plan::ran: return "ran";
    case Plan::rolled_back: return "rolled_back";
    case Plan::planned: return "planned";
  }
  return "";
}

inline std::unexpected<StepError> step_fail(std::string error_class, std::string message) {
  return std::unexpected(StepError{{std::move(error_class)}, std::move(message), {}});
}

}  // namespace sallyport::execution
