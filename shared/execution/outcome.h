#pragma once

#include "shared/base/value.h"
#include "shared/execution/records.h"
#include "shared/execution/step_result.h"
#include "shared/recipe/mask.h"

#include <optional>
#include <string>
#include <utility>

namespace sallyport::execution {

// Written as JSON. A larger one fails its step: what is big travels as a handle. The journal keeps it, a report of at
// most wire::kMaxReport tells it, and a Dispatch after a failover brings it back (docs/recipes.md, Sizes).
inline constexpr std::size_t kMaxOutputBytes = 256u << 10;

// The value as it comes back from the journal, so that a resumed job sees what a running one sees, with this label as a
// whole. Class too_large over kMaxOutputBytes, internal when it holds what JSON cannot.
StepResult<Value> settled(const Value& output, Label label);

// What a dry run cannot say of an output: nothing of a step that it only planned, and not the results of a foreach of
// such.
enum class Unknown { nothing, results, everything };

// How a step, or one attempt of it, ended.
struct Outcome {
  StepStatus status = StepStatus::succeeded;
  Value output;  // labelled where it came from labelled arguments or is masked; may be there of failed, too
  std::optional<StepError> error;  // of failed, cancelled and in_doubt
  bool output_lost = false;  // there was one, but it was masked, or an earlier holder only told that there was one
  bool parts_lost = false;   // the same of what the step's mask names; the rest is there
  bool told = false;         // by the relay: what is masked is in it as "***"
  Unknown unknown = Unknown::nothing;
  Plan plan = Plan::none;
  bool doubted = false;  // of failed and tried again: a run before it was broken off, and may have come some way

  static Outcome success(Value output) { return {StepStatus::succeeded, std::move(output), std::nullopt}; }
  static Outcome skipped() { return {StepStatus::skipped, Value(), std::nullopt}; }
  static Outcome failure(StepError error) {
    Value output = settled(error.output, deep_label(error.output)).value_or(Value());
    error.output = Value();
    return {StepStatus::failed, std::move(output), std::move(error)};
  }
};

// How a failure may be told when `label` is that of what its step worked with. An action's own words may quote its
// arguments (a server's text, a path): of a step with secret or masked values only the classes and the local policy's
// rule are kept, with words that belong to the class. What it said goes nowhere.
StepError tellable(StepError error, Label label);

// What the journal may hold of it: nothing that is masked. `mask`: of the output.
Outcome without_masked(Outcome outcome, const recipe::Mask& mask);

// What the journal may hold of it when nothing of its job is to be kept: status, classes, rule.
Outcome bare(const Outcome& outcome);

// The form in the journal (`Done::result_json`), and back; a broken one is Errc::invalid.
std::string encode_outcome(const Outcome& outcome);
Result<Outcome> decode_outcome(StepStatus status, std::string_view result_json);

// The outcome of a step that an earlier holder of the job completed, from what the relay knows of it. `plan`: of a dry
// run, or empty.
std::string outcome_from_relay(std::string_view output_json, std::string_view plan);

// What may be shown and stored elsewhere, cut to a length that fits into a report.
std::string shown(const Value& value);

}  // namespace sallyport::execution
