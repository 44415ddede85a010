#include "shared/execution/contexts.h"

namespace sallyport::execution {
namespace {

Value timestamp(WallTime at) {
  const std::int64_t ms = unix_ms(at);
  const std::int64_t seconds = ms >= 0 ? ms / 1'000 : (ms - 999) / 1'000;
  return Value(Timestamp{seconds, static_cast<std::int32_t>((ms - seconds * 1'000) * 1'000'000)});
}

// A start brings its inputs with the trigger; where there are none, the defaults count.
Value inputs_of(const recipe::Recipe& recipe, const Value& trigger) {
  const Value* given = trigger.find("inputs");
  if (given != nullptr && given->is(Value::Kind::map)) return *given;
  return recipe::bind_inputs(recipe, Value()).value_or(Value(ValueMap{}));
}

Value error_value(const StepError& error) {
  return Value(ValueMap{{"class", error.error_class()}, {"message", error.message}});
}

}  // namespace

expr::Activation event_names(const recipe::Recipe& recipe, const Job& job, const Value& trigger) {
  expr::Activation names;
  const auto mask = recipe::trigger_mask(recipe);
  names.bind("trigger", mask.labelled(trigger));
  names.bind("inputs", mask.below("inputs").labelled(inputs_of(recipe, trigger)));
  names.bind("vars", Value(recipe.vars));
  names.bind("recipe",
             Value(ValueMap{{"name", recipe.name}, {"version", Value(static_cast<std::int64_t>(job.recipe_version))}}));
  return names;
}

Contexts::Contexts(const recipe::Recipe& recipe, const Job& job, const AgentFacts& agent, const Value& trigger)
    : names_(event_names(recipe, job, trigger)) {
  names_.bind("job", Value(ValueMap{{"id", job.id.value},
                                    {"run_number", Value(static_cast<std::int64_t>(job.run_number))},
                                    {"started_at", timestamp(job.accepted_at)}}));
  names_.bind("agent", Value(ValueMap{{"name", agent.name}, {"group", recipe.run_on}}));
  for (const auto& step : recipe.steps)
    steps_.emplace(step.id, Value(ValueMap{{"status", "not_run"}, {"output", Value()}, {"error", Value()}}));
  names_.bind("steps", Value(steps_));
}

void Contexts::set_step(const std::string& id, const Outcome& outcome, const recipe::Mask& mask) {
  const recipe::Mask all{.everything = true, .paths = {}};
  lost_.erase(id);
  if (outcome.output_lost) lost_.emplace(id, all.under("output").under(id));
  if (outcome.parts_lost) lost_.emplace(id, mask.under("output").under(id));
  unknown_.erase(id);
  if (outcome.unknown == Unknown::everything) unknown_.emplace(id, all.under("output").under(id));
  if (outcome.unknown == Unknown::results) unknown_.emplace(id, all.under("results").under("output").under(id));
  ValueMap step{{"status", std::string(to_string(outcome.status))},
                {"error", outcome.error ? error_value(*outcome.error) : Value()}};
  if (!outcome.output_lost && outcome.unknown != Unknown::everything) step.emplace("output", outcome.output);
  steps_.insert_or_assign(Value(id), Value(std::move(step)));
  names_.bind("steps", Value(steps_));
}

std::optional<std::string> Contexts::lost(std::span<const expr::Reference> references) const {
  return touched(lost_, references);
}

std::optional<std::string> Contexts::unknown(std::span<const expr::Reference> references) const {
  return touched(unknown_, references);
}

std::optional<std::string> Contexts::touched(const Gaps& gaps, std::span<const expr::Reference> references) {
  for (const auto& reference : references) {
    if (reference.path.front() != "steps") continue;
    const auto place = std::span(reference.path).subspan(1);
    for (const auto& [id, mask] : gaps) {
      if (mask.touches(place)) return id;
    }
  }
  return std::nullopt;
}

void Contexts::set_error(const std::string& step, const StepError& error) {
  names_.bind("error", Value(ValueMap{{"step", step}, {"class", error.error_class()}, {"message", error.message}}));
}

}  // namespace sallyport::execution
