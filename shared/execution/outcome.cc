#include "shared/execution/outcome.h"

#include "shared/base/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace sallyport::execution {
namespace {

constexpr std::size_t kMaxShown = kMaxOutputBytes;
constexpr std::string_view kRedacted = "\"***\"";

struct ClassWords {
  std::string_view error_class, words;
};
constexpr std::array kClassWords{
    ClassWords{"connection", "the connection could not be made, or it broke"},
    ClassWords{"timeout", "it did not end in time"},
    ClassWords{"cancelled", "it was stopped"},
    ClassWords{"policy", "the local policy of this agent refuses it"},
    ClassWords{"invalid", "what it was given is refused"},
    ClassWords{"not_found", "something it names is not there"},
    ClassWords{"constraint", "a constraint of the target refuses the data"},
    ClassWords{"transaction", "it came into conflict with another transaction"},
    ClassWords{"permission", "permission is denied"},
    ClassWords{"too_large", "something is larger than a limit allows"},
    ClassWords{"changed", "what it reads is another one by now"},
    ClassWords{"disk_full", "there is no room left"},
    ClassWords{"command", "the command failed"},
    ClassWords{"format", "the data has a wrong form"},
    ClassWords{"in_doubt", "nobody can know whether its effect happened: look at the target, then decide"},
};

std::string_view words_of(const std::vector<std::string>& classes) {
  for (const auto& name : classes) {
    const auto found = std::ranges::find(kClassWords, name, &ClassWords::error_class);
    if (found != kClassWords.end()) return found->words;
  }
  return "it failed";
}

Value error_value(const StepError& error) {
  ValueList classes;
  for (const auto& name : error.classes) classes.emplace_back(name);
  return Value(ValueMap{{"classes", Value(std::move(classes))}, {"message", error.message}, {"rule", error.rule}});
}

std::string text_of(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is(Value::Kind::string) ? found->as_string() : std::string();
}

// Of an enum whose last value is `most`; its first, where there is none.
int number_of(const Value& map, std::string_view name, int most) {
  const Value* found = map.find(name);
  if (found == nullptr || !found->is(Value::Kind::int64)) return 0;
  return static_cast<int>(std::clamp<std::int64_t>(found->as_int(), 0, most));
}

StepError error_from(const Value& map) {
  StepError error;
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

StepResult<Value> settled(const Value& output, Label label) {
  const std::string text = stored_json(output);
  if (text.size() > kMaxOutputBytes) {
    return step_fail("too_large", "the step ran, but what it gave is " + std::to_string(text.size()) +
                                      " bytes long as JSON, and a step gives at most " +
                                      std::to_string(kMaxOutputBytes) + ": use a body or rows, or ask for less");
  }
  auto back = parse_stored_json(text);
  if (!back) return step_fail("internal", "the step gave a value that cannot be stored");
  return back->with_label(label);
}

StepError tellable(StepError error, Label label) {
  if (label == Label::none) return error;
  const std::string rule = error.rule.empty() ? "" : ": " + error.rule;
  error.message = fmt::format("{} ({}){}; more is not told, because the step works with secret or masked values",
                              words_of(error.classes), fmt::join(error.classes, ", "), rule);
  return error;
}

Outcome without_masked(Outcome outcome, const recipe::Mask& mask) {
  if (has(outcome.output.label(), Label::masked)) {
    outcome.output = Value();
    outcome.output_lost = true;
  } else if (const Value rest = mask.without(outcome.output); rest != outcome.output) {
    outcome.output = rest;
    outcome.parts_lost = true;
  }
  return outcome;
}

Outcome bare(const Outcome& outcome) {
  Outcome made{.status = outcome.status, .output = {}, .error = outcome.error};
  if (made.error) made.error->message.clear();
  made.output_lost = outcome.output_lost || !outcome.output.is_null();
  made.doubted = outcome.doubted;
  made.unknown = outcome.unknown;
  made.plan = outcome.plan;
  return made;
}

std::string encode_outcome(const Outcome& outcome) {
  ValueMap map{{"output", outcome.output}};
  if (outcome.output.label() != Label::none) map.emplace("label", static_cast<std::int64_t>(outcome.output.label()));
  if (outcome.output_lost) map.emplace("lost", true);
  if (outcome.parts_lost) map.emplace("parts_lost", true);
  if (outcome.told) map.emplace("told", true);
  if (outcome.doubted) map.emplace("doubted", true);
  if (outcome.unknown != Unknown::nothing) map.emplace("unknown", static_cast<std::int64_t>(outcome.unknown));
  if (outcome.plan != Plan::none) map.emplace("plan", static_cast<std::int64_t>(outcome.plan));
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
  outcome.parts_lost = map->find("parts_lost") != nullptr;
  outcome.told = map->find("told") != nullptr;
  outcome.doubted = map->find("doubted") != nullptr;
  outcome.unknown = static_cast<Unknown>(number_of(*map, "unknown", static_cast<int>(Unknown::everything)));
  outcome.plan = static_cast<Plan>(number_of(*map, "plan", static_cast<int>(Plan::planned)));
  if (const Value* error = map->find("error")) outcome.error = error_from(*error);
  const bool went_well = status == StepStatus::succeeded || status == StepStatus::skipped;
  if (!went_well && !outcome.error) outcome.error = {{"internal"}, "failed under an earlier holder of the job", {}};
  return outcome;
}

std::string outcome_from_relay(std::string_view output_json, std::string_view plan) {
  Outcome outcome;
  outcome.told = true;
  for (const auto one : {Plan::ran, Plan::rolled_back, Plan::planned}) {
    if (plan == to_string(one)) outcome.plan = one;
  }
  const bool is_loop = output_json.starts_with('{');  // of which the counts are known
  if (outcome.plan == Plan::planned) outcome.unknown = is_loop ? Unknown::results : Unknown::everything;
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

}  // namespace sallyport::execution
