#include "agent/runner/outcome.h"

#include "shared/base/json.h"

namespace sallyport::runner {
namespace {

using journal::StepStatus;

constexpr std::size_t kMaxShown = kMaxOutputBytes;
constexpr std::string_view kRedacted = "\"***\"";

Value error_value(const connectors::StepError& error) {
  ValueList classes;
  for (const auto& name : error.classes) classes.emplace_back(name);
  return Value(ValueMap{{"classes", Value(std::move(classes))}, {"message", error.message}, {"rule", error.rule}});
}

std::string text_of(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is(Value::Kind::string) ? found->as_string() : std::string();
}

connectors::StepError error_from(const Value& map) {
  connectors::StepError error;
  if (const Value* classes = map.find("classes"); classes != nullptr && classes->is(Value::Kind::list)) {
    for (const Value& name : classes->as_list()) {
      if (name.is(Value::Kind::string)) error.classes.push_back(name.as_string());
    }
  }
  if (error.classes.empty()) error.classes.emplace_back("internal");
  error.message = text_of(map, "message");
  error.rule = text_of(map, "rule");
  return error;
}

}  // namespace

connectors::StepResult<Value> settled(const Value& output) {
  const std::string text = stored_json(output);
  if (text.size() > kMaxOutputBytes) {
    return connectors::step_fail("too_large", "the step ran, but what it gave is " + std::to_string(text.size()) +
                                                  " bytes long as JSON, and a step gives at most " +
                                                  std::to_string(kMaxOutputBytes) +
                                                  ": use a body or rows, or ask for less");
  }
  auto back = parse_stored_json(text);
  if (!back) return connectors::step_fail("internal", "the step gave a value that cannot be stored");
  return back->with_label(deep_label(output));
}

std::string encode_outcome(const Outcome& outcome) {
  ValueMap map{{"output", outcome.output}};
  if (outcome.output.label() != Label::none) map.emplace("label", static_cast<std::int64_t>(outcome.output.label()));
  if (outcome.output_lost) map.emplace("lost", true);
  if (outcome.doubted) map.emplace("doubted", true);
  if (outcome.error) map.emplace("error", error_value(*outcome.error));
  return stored_json(Value(std::move(map)));
}

Result<Outcome> decode_outcome(StepStatus status, std::string_view result_json) {
  auto map = parse_stored_json(result_json);
  if (!map || !map->is(Value::Kind::map)) return fail(Errc::invalid, "a step's record in the journal is damaged");
  Outcome outcome;
  outcome.status = status;
  if (const Value* output = map->find("output")) outcome.output = *output;
  if (const Value* label = map->find("label"); label != nullptr && label->is(Value::Kind::int64)) {
    outcome.output = outcome.output.with_label(static_cast<Label>(label->as_int() & 3));
  }
  outcome.output_lost = map->find("lost") != nullptr;
  outcome.doubted = map->find("doubted") != nullptr;
  if (const Value* error = map->find("error")) outcome.error = error_from(*error);
  const bool went_well = status == StepStatus::succeeded || status == StepStatus::skipped;
  if (!went_well && !outcome.error) outcome.error = {{"internal"}, "failed under an earlier holder of the job", {}};
  return outcome;
}

std::string outcome_from_relay(std::string_view output_json) {
  Outcome outcome;
  auto output = parse_stored_json(output_json.empty() ? "null" : output_json);
  outcome.output_lost = !output || output_json == kRedacted;
  if (!outcome.output_lost) outcome.output = *std::move(output);
  return encode_outcome(outcome);
}

std::string shown(const Value& value) {
  std::string text = stored_json(redacted(value));
  if (text.size() <= kMaxShown) return text;
  return to_json(Value(ValueMap{{"$truncated", Value(static_cast<std::int64_t>(text.size()))}}));
}

}  // namespace sallyport::runner
