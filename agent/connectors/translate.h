#pragma once

#include "agent/connectors/step_error.h"
#include "agent/policy/refusal.h"
#include "shared/base/result.h"

#include <string_view>
#include <utility>

namespace sallyport::connectors {

// Errc to class: forbidden permission, exhausted disk_full, conflict changed, unavailable connection, timed_out
// timeout; the others keep their name.
StepError to_step_error(Error error);
// Class "policy" with the rule.
StepError to_step_error(policy::Refusal refusal);

template <class T>
StepResult<T> to_step(Result<T> result) {
  if (!result) return std::unexpected(to_step_error(std::move(result).error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(result);
  }
}
template <class T>
StepResult<T> to_step(policy::Verdict<T> verdict) {
  if (!verdict) return std::unexpected(to_step_error(std::move(verdict).error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(verdict);
  }
}

// Puts where it happened in front of what happened.
std::unexpected<StepError> step_in_context(std::string_view where, StepError error);

}  // namespace sallyport::connectors
