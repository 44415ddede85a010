#include "shared/recipe/schema.h"

#include "shared/base/json.h"
#include "shared/recipe/catalogue.h"
#include "shared/recipe/model.h"
#include "shared/recipe/schema_parts.h"
#include "shared/recipe/words.h"

#include <fmt/format.h>

namespace sallyport::recipe {
namespace {

using schema::object;
using schema::Properties;
using schema::ref;
using schema::text;

Value all_words(auto words) {
  ValueList list;
  for (auto word : words) list.emplace_back(word);
  return object({{"enum", Value(std::move(list))}});
}

Value integer(std::int64_t min, std::int64_t max) {
  return object({{"type", "integer"}, {"minimum", Value(min)}, {"maximum", Value(max)}});
}

Value list_of(Value items) { return object({{"type", "array"}, {"items", std::move(items)}}); }

Value definitions() {
  return object({
      {"name", object({{"type", "string"}, {"pattern", "^[a-z][a-z0-9-]{0,62}$"}})},
      {"identifier", object({{"type", "string"}, {"pattern", "^[a-z][a-z0-9_-]{0,62}$"}})},
      {"duration", object({{"type", "string"}, {"pattern", "^[0-9]+(ms|s|m|h|d)$"}})},
      {"expression", object({{"type", "string"}, {"pattern", "\\$\\{\\{"}})},
      {"literal", object({{"type", "string"}, {"not", object({{"pattern", "(^|[^$])\\$\\{\\{"}})}})},
      {"condition", object({{"type", Value(ValueList{"string", "boolean"})}})},
      {"errorClass",
       object({{"anyOf", Value(ValueList{
                             all_words(error_classes()), object({{"const", "any"}}),
                             text("^(sqlstate:[0-9A-Z]{5}|status:[0-9]{3}|(exit|ldap|signal|smtp):[0-9]{1,3})$")})}})},
  });
}

Value mask_schema(std::string_view first) {
  const auto path = fmt::format("^{}(\\.[A-Za-z0-9_-]{{1,{}}}){{0,{}}}$", first, kMaxMaskMember, kMaxMaskDepth - 1);
  const auto paths = object({{"type", "array"},
                             {"minItems", 1},
                             {"maxItems", static_cast<std::int64_t>(kMaxMaskPaths)},
                             {"items", text(path)}});
  return object({{"anyOf", Value(ValueList{object({{"type", "boolean"}}), paths})}});
}

Value trigger_schema() {
  Properties trigger;
  ValueList names;
  ValueList cases;
  for (const auto& info : triggers()) {
    names.emplace_back(info.name);
    cases.push_back(schema::when_uses({info.name, info.connections, info.fields, {}}));
  }
  trigger.add("uses", object({{"enum", Value(std::move(names))}}), "what starts the recipe")
      .add("connection", ref("name"), "a connection of the agent")
      .add("with", object({{"type", "object"}}), "settings of the trigger, all literal")
      .add("dedupe", ref("expression"), "key of the event: the same key again starts nothing")
      .add("mask", mask_schema("[A-Za-z0-9_-]{1,64}"), "what of its data nobody is shown");
  return trigger.closed({"uses"}, Value(std::move(cases)));
}

Value retry_schema() {
  Properties retry;
  retry.add("max", integer(1, kMaxRetries), "attempts after the first")
      .add("backoff", all_words(kBackoff.all()), "how the wait grows")
      .add("initial", ref("duration"), "wait before the second attempt")
      .add("max_delay", ref("duration"), "longest wait")
      .add("on", list_of(ref("errorClass")), "error classes that are tried again");
  return retry.closed({"max"});
}

Value foreach_schema() {
  Properties loop;
  loop.add("over", object({{"type", "string"}}), "an expression that gives a list or rows")
      .add("concurrency", integer(1, kMaxForeachConcurrency), "items at the same time")
      .add("max_items", integer(1, 1'000'000'000), "more items than this are an error")
      .add("on_item_failure", all_words(kOnItemFailure.all()), "what a failed item means");
  return object({{"anyOf", Value(ValueList{object({{"type", "string"}}), loop.closed({"over"})})}});
}

Value stop_schema() {
  Properties stop;
  stop.add("status", all_words(kStopStatus.all()), "how the job ends")
      .add("message", object({{"type", "string"}}), "why");
  return stop.closed({"status"});
}

// What `uses`, `connection` and `with` have to be for each action.
ValueList action_cases() {
  ValueList cases;
  for (const auto& action : actions())
    cases.push_back(schema::when_uses({action.name, action.connections, action.fields, action.exactly_one}));
  return cases;
}

// What steps and the parts of streams have in common.
Properties running_schema() {
  ValueList names;
  for (const auto& action : actions()) names.emplace_back(action.name);
  Properties step;
  step.add("uses", object({{"enum", Value(std::move(names))}}), "the action")
      .add("connection", ref("name"), "a connection of the agent")
      .add("with", object({{"type", "object"}}), "arguments of the action")
      .add("mask", mask_schema("(input|output)"), "what of input and output is neither shown nor stored")
      .add("retry", retry_schema(), "tries a failed step again")
      .add("timeout", ref("duration"), "of one attempt")
      .add("on_failure", all_words(kOnFailure.all()), "whether the job goes on")
      .add("on_in_doubt", all_words(kOnInDoubt.all()), "what to do when nobody can know whether the step took effect");
  return step;
}

Value step_schema() {
  auto cases = action_cases();
  cases.push_back(object({{"oneOf", Value(ValueList{schema::required({"uses"}), schema::required({"stop"})})}}));
  auto step = running_schema();
  step.add("id", ref("identifier"), "name of the step, unique in the recipe")
      .add("name", object({{"type", "string"}}), "for people")
      .add("if", ref("condition"), "the step is skipped when this gives false")
      .add("stop", stop_schema(), "ends the job instead of an action")
      .add("foreach", foreach_schema(), "runs the action once for each item");
  return step.closed({"id"}, Value(std::move(cases)));
}

// Without the cases: the stream fills a field that an action may require.
Value part_schema() {
  auto part = running_schema();
  part.add("name", object({{"type", "string"}}), "for people")
      .add("per", all_words(std::array<std::string_view, 2>{"row", "batch"}),
           "runs once for each row or batch, not once for all");
  return part.closed({"uses"});
}

Value stream_schema() {
  Properties stream;
  const auto names = list_of(ref("identifier"));
  stream.add("stream", ref("identifier"), "its steps are named after it")
      .add("from", ref("identifier"), "a source, or `trigger`")
      .add("through", names, "transformations, in this order")
      .add("to", object({{"anyOf", Value(ValueList{ref("identifier"), names})}}), "destinations")
      .add("if", ref("condition"), "all of it is skipped when this gives false");
  return stream.closed({"stream", "from", "to"});
}

Value input_schema() {
  Properties input;
  input.add("type", all_words(kInputTypes.all()), "what may be given")
      .add("required", object({{"type", "boolean"}}), "a start without it is refused")
      .add("default", object({}), "used when it is not given")
      .add("mask", object({{"type", "boolean"}}), "nobody is shown what was given")
      .add("description", object({{"type", "string"}}), "for people");
  return input.closed({"type"});
}

Value retention_schema() {
  Properties retention;
  const auto payload = object({{"anyOf", Value(ValueList{ref("duration"), object({{"const", Value(kKeepNothing)}})})}});
  retention.add("payload", payload, "inputs and outputs")
      .add("logs", ref("duration"), "log lines")
      .add("archive", ref("duration"), "records of jobs, in the organisation's archive");
  return retention.closed({});
}

Value concurrency_schema() {
  Properties concurrency;
  concurrency.add("limit", integer(1, kMaxConcurrency), "jobs at the same time")
      .add("key", object({{"type", "string"}}), "jobs with equal keys count together")
      .add("on_conflict", all_words(kOnConflict.all()), "what happens to a job over the limit");
  return concurrency.closed({});
}

Value map_of(Value values) {
  return object(
      {{"type", "object"}, {"propertyNames", ref("identifier")}, {"additionalProperties", std::move(values)}});
}

}  // namespace

Value recipe_schema() {
  Properties recipe;
  const auto steps = object(
      {{"type", "array"},
       {"minItems", 1},
       {"maxItems", static_cast<std::int64_t>(kMaxSteps)},
       {"items", object({{"if", schema::required({"stream"})}, {"then", ref("stream")}, {"else", ref("step")}})}});
  recipe.add("recipe", ref("name"), "name of the recipe")
      .add("description", object({{"type", "string"}}), "for people")
      .add("run_on", ref("name"), "agent group that runs it")
      .add("trigger", trigger_schema(), "what starts a job")
      .add("inputs", map_of(input_schema()), "what a start may bring along")
      .add("vars", map_of(object({})), "literal values under a name")
      .add("retention", retention_schema(), "how long data of jobs is kept after their end")
      .add("concurrency", concurrency_schema(), "how many jobs run at the same time")
      .add("timeout", ref("duration"), "of the whole job")
      .add("priority", integer(0, kMaxPriority), "higher goes first")
      .add("steps", steps, "run in this order")
      .add("on_failure", list_of(ref("step")), "run when the job fails")
      .add("sources", map_of(ref("part")), "where streams begin")
      .add("transformations", map_of(ref("part")), "what streams go through")
      .add("destinations", map_of(ref("part")), "where streams end");
  auto schema = recipe.closed({"recipe", "run_on", "trigger", "steps"}).as_map();
  auto defs = definitions().as_map();
  defs.emplace(Value("step"), step_schema());
  defs.emplace(Value("part"), part_schema());
  defs.emplace(Value("stream"), stream_schema());
  schema.emplace(Value("$schema"), Value("https://json-schema.org/draft/2020-12/schema"));
  schema.emplace(Value("$id"), Value("urn:sallyport:schema:recipe:1"));
  schema.emplace(Value("title"), Value("Sallyport recipe"));
  schema.emplace(Value("$defs"), Value(std::move(defs)));
  return Value(std::move(schema));
}

std::string recipe_schema_text() { return to_pretty_json(recipe_schema()) + "\n"; }

}  // namespace sallyport::recipe
