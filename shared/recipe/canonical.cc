#include "shared/base/json.h"
#include "shared/base/text.h"
#include "shared/recipe/loader.h"
#include "shared/recipe/words.h"

namespace sallyport::recipe {
namespace {

Value mask_json(const Mask& mask) {
  if (mask.everything) return Value(true);
  ValueList paths;
  for (const auto& path : mask.paths) paths.emplace_back(path_text(path));
  return Value(std::move(paths));
}

// A JSON object under construction that leaves out what was not written.
class Object {
 public:
  Object& put(std::string_view name, Value value) {
    members_.emplace(Value(name), std::move(value));
    return *this;
  }
  Object& text(std::string_view name, std::string_view value) {
    return value.empty() ? *this : put(name, Value(value));
  }
  Object& duration(std::string_view name, std::optional<milliseconds> value) {
    return value ? put(name, Value(format_duration(*value))) : *this;
  }
  Object& integer(std::string_view name, std::optional<std::int64_t> value) {
    return value ? put(name, Value(*value)) : *this;
  }
  Object& pattern(std::string_view name, const std::optional<expr::Template>& value) {
    return value ? put(name, Value(value->text())) : *this;
  }
  template <class Enum, std::size_t N>
  Object& word(std::string_view name, const Words<Enum, N>& words, std::optional<Enum> value) {
    return value ? put(name, Value(words.spell(*value))) : *this;
  }
  Object& map(std::string_view name, Value value) {
    return value.as_map().empty() ? *this : put(name, std::move(value));
  }
  Object& mask(const Mask& value) { return value.nothing() ? *this : put("mask", mask_json(value)); }
  Value take() { return Value(std::move(members_)); }

 private:
  ValueMap members_;
};

Value trigger_json(const Trigger& trigger) {
  return Object()
      .put("uses", Value(trigger.uses))
      .text("connection", trigger.connection)
      .map("with", trigger.with)
      .pattern("dedupe", trigger.dedupe)
      .mask(trigger.mask)
      .take();
}

Value inputs_json(const Recipe& recipe) {
  Object all;
  for (const auto& [name, input] : recipe.inputs) {
    Object one;
    one.put("type", Value(kInputTypes.spell(input.type))).text("description", input.description);
    if (input.required) one.put("required", Value(true));
    if (input.mask) one.put("mask", Value(true));
    if (input.fallback) one.put("default", *input.fallback);
    all.put(name, one.take());
  }
  return all.take();
}

Value retention_json(const Retention& retention) {
  Object made;
  if (retention.payload == milliseconds(0))
    made.text("payload", kKeepNothing);
  else
    made.duration("payload", retention.payload);
  return made.duration("logs", retention.logs).duration("archive", retention.archive).take();
}

Value concurrency_json(const Concurrency& concurrency) {
  return Object()
      .put("limit", Value(concurrency.limit))
      .pattern("key", concurrency.key)
      .word("on_conflict", kOnConflict, concurrency.on_conflict)
      .take();
}

Value retry_json(const Retry& retry) {
  Object made;
  made.put("max", Value(retry.max))
      .word("backoff", kBackoff, retry.backoff)
      .duration("initial", retry.initial)
      .duration("max_delay", retry.max_delay);
  if (!retry.on.empty()) made.put("on", Value(ValueList(retry.on.begin(), retry.on.end())));
  return made.take();
}

Value foreach_json(const Foreach& foreach) {
  const bool plain = foreach.concurrency == 1 && !foreach.max_items && foreach.on_item_failure == OnItemFailure::fail;
  if (plain) return Value(foreach.over.source());
  Object made;
  made.put("over", Value(foreach.over.source())).integer("max_items", foreach.max_items);
  if (foreach.concurrency != 1) made.put("concurrency", Value(foreach.concurrency));
  if (foreach.on_item_failure != OnItemFailure::fail) {
    made.put("on_item_failure", Value(kOnItemFailure.spell(foreach.on_item_failure)));
  }
  return made.take();
}

Value step_json(const Step& step) {
  Object made;
  made.put("id", Value(step.id)).text("name", step.name).text("uses", step.uses).text("connection", step.connection);
  if (step.condition) made.put("if", Value(step.condition->source()));
  if (step.foreach) made.put("foreach", foreach_json(*step.foreach));
  made.map("with", step.with.source());
  made.mask(step.mask);
  if (step.retry) made.put("retry", retry_json(*step.retry));
  made.duration("timeout", step.timeout)
      .word("on_failure", kOnFailure, step.on_failure)
      .word("on_in_doubt", kOnInDoubt, step.on_in_doubt);
  if (step.stop) {
    made.put("stop", Object()
                         .word("status", kStopStatus, std::optional(step.stop->status))
                         .pattern("message", step.stop->message)
                         .take());
  }
  return made.take();
}

Value steps_json(const std::vector<Step>& steps) {
  ValueList list;
  for (const auto& step : steps) list.push_back(step_json(step));
  return Value(std::move(list));
}

}  // namespace

Value to_value(const Recipe& recipe) {
  Object made;
  made.put("recipe", Value(recipe.name))
      .text("description", recipe.description)
      .put("run_on", Value(recipe.run_on))
      .put("trigger", trigger_json(recipe.trigger))
      .map("inputs", inputs_json(recipe))
      .map("vars", Value(recipe.vars))
      .map("retention", retention_json(recipe.retention))
      .duration("timeout", recipe.timeout)
      .integer("priority", recipe.priority)
      .put("steps", steps_json(recipe.steps));
  if (recipe.concurrency) made.put("concurrency", concurrency_json(*recipe.concurrency));
  if (!recipe.on_failure.empty()) made.put("on_failure", steps_json(recipe.on_failure));
  return made.take();
}

std::string to_canonical(const Recipe& recipe) { return canonical_json(to_value(recipe)); }

}  // namespace sallyport::recipe
