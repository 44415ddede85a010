#include "shared/recipe/loader.h"

#include "shared/base/json.h"
#include "shared/recipe/reading.h"
#include "shared/recipe/stream.h"
#include "shared/recipe/words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace sallyport::recipe {
namespace {

using yaml::FieldReader;
using yaml::Need;
using yaml::Node;

constexpr yaml::DurationRange kRetentionRange{std::chrono::hours(1), std::chrono::hours(24 * 3650)};
constexpr std::size_t kCanonicalGrowth = 4;  // escapes and repeated quotes against the YAML it came from
constexpr std::array<std::string_view, 7> kOutline{"recipe",    "run_on",      "inputs",  "vars",
                                                   "retention", "concurrency", "priority"};
constexpr std::array<std::string_view, 3> kOfStreams{"sources", "transformations", "destinations"};
constexpr std::array<std::string_view, 2> kStepOutline{"id", "on_failure"};

class RecipeReader {
 public:
  RecipeReader(const Node& root, Reading& reading) : reading_(reading), fields_(root, reading.report, "a recipe") {}

  // What people write may have had streams; what is stored has none.
  enum class Form { written, stored };
  Recipe read(Form form) {
    Recipe made;
    if (form == Form::written) {
      for (const auto key : kOfStreams) fields_.any(key);
    }
    made.name = name("recipe");
    made.description = fields_.text("description").value_or("");
    made.run_on = name("run_on");
    if (const auto* inputs = fields_.mapping("inputs")) read_inputs(*inputs);
    if (const auto* vars = fields_.mapping("vars")) read_vars(*vars);
    if (const auto* trigger = fields_.mapping("trigger", Need::required))
      made.trigger = read_trigger(*trigger, reading_);
    if (const auto* retention = fields_.mapping("retention")) made.retention = read_retention(*retention);
    if (const auto* concurrency = fields_.mapping("concurrency")) made.concurrency = read_concurrency(*concurrency);
    made.timeout = fields_.duration("timeout", {kMinTimeout, kMaxTimeout});
    made.priority = fields_.integer("priority", {0, kMaxPriority});
    read_all_steps(made);
    fields_.finish();
    made.inputs = std::move(reading_.inputs);
    made.vars = std::move(reading_.vars);
    check_key(made, made.trigger.dedupe, "trigger", "dedupe");
    if (made.concurrency) check_key(made, made.concurrency->key, "concurrency", "key");
    return made;
  }

  // `fields_` are those of outline_of().
  Recipe read_outline() {
    Recipe made;
    made.name = name("recipe");
    made.run_on = name("run_on");
    if (const auto* inputs = fields_.mapping("inputs")) read_inputs(*inputs);
    if (const auto* vars = fields_.mapping("vars")) read_vars(*vars);
    made.trigger.uses = fields_.text("trigger", Need::required).value_or("");
    made.trigger.mask = read_mask(fields_, {});
    if (const auto* dedupe = fields_.text_node("dedupe")) made.trigger.dedupe = read_key(*dedupe);
    if (const auto* retention = fields_.mapping("retention")) made.retention = read_retention(*retention);
    if (const auto* concurrency = fields_.mapping("concurrency")) made.concurrency = read_concurrency(*concurrency);
    made.priority = fields_.integer("priority", {0, kMaxPriority});
    if (const auto* steps = fields_.sequence("steps", Need::required)) {
      for (const auto& step : steps->items) made.steps.push_back(read_step_outline(step));
    }
    made.inputs = std::move(reading_.inputs);
    made.vars = std::move(reading_.vars);
    return made;
  }

 private:
  Step read_step_outline(const Node& node) {
    Step made;
    FieldReader fields(node, reading_.report, "a step");
    made.id = fields.text("id", Need::required).value_or("");
    if (const auto word = fields.choice("on_failure", kOnFailure.all())) made.on_failure = kOnFailure.meaning(*word);
    return made;
  }

  std::string name(std::string_view key) {
    const auto* node = fields_.text_node(key, Need::required);
    return node != nullptr && reading_.check_name(*node, key) ? node->text : std::string();
  }

  void read_all_steps(Recipe& made) {
    const auto* steps = fields_.sequence("steps", Need::required);
    const auto* on_failure = fields_.sequence("on_failure");
    if (steps != nullptr && steps->items.empty())
      fields_.problem("steps", "missing-field", "a recipe needs at least one step");
    const auto count =
        (steps != nullptr ? steps->items.size() : 0) + (on_failure != nullptr ? on_failure->items.size() : 0);
    if (count > kMaxSteps)
      fields_.problem("steps", "too-many-steps", fmt::format("a recipe has at most {} steps", kMaxSteps));
    note_steps(steps, reading_);
    note_steps(on_failure, reading_);
    if (steps != nullptr) made.steps = read_steps(*steps, kStepRoots, reading_);
    if (on_failure != nullptr) made.on_failure = read_steps(*on_failure, kStepRoots | Roots::error, reading_);
  }

  void check_identifier(const yaml::Member& member, std::string_view what) {
    if (is_identifier(member.key)) return;
    reading_.report.add(
        member.at, "bad-name",
        fmt::format("the name of {} must be 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter", what));
  }

  void read_inputs(const Node& node) {
    for (const auto& member : node.members) {
      check_identifier(member, "an input");
      reading_.inputs.emplace(member.key, read_input(member.value));
    }
  }

  Input read_input(const Node& node) {
    Input made;
    FieldReader fields(node, reading_.report, "an input");
    made.type = kInputTypes.meaning(fields.choice("type", kInputTypes.all(), Need::required).value_or("any"));
    made.required = fields.boolean("required").value_or(false);
    made.mask = fields.boolean("mask").value_or(false);
    made.description = fields.text("description").value_or("");
    if (const auto* fallback = fields.any("default")) {
      made.fallback = yaml::to_value(*fallback);
      if (made.required) fields.problem("default", "conflicting-keys", "an input that is required has no default");
      if (!fits_input(made.type, *made.fallback)) {
        fields.problem("default", "wrong-type", fmt::format("`default` must be of the type {}", describe(made.type)));
      }
    }
    fields.finish();
    return made;
  }

  void read_vars(const Node& node) {
    for (const auto& member : node.members) {
      check_identifier(member, "a var");
      refuse_expressions(member.value);
      reading_.vars.emplace(Value(member.key), yaml::to_value(member.value));
    }
  }

  void refuse_expressions(const Node& node) {
    reading_.is_literal(node, "vars");
    for (const auto& item : node.items) refuse_expressions(item);
    for (const auto& member : node.members) refuse_expressions(member.value);
  }

  Retention read_retention(const Node& node) {
    Retention made;
    FieldReader fields(node, reading_.report, "`retention`");
    const auto* payload = node.find("payload");
    if (payload != nullptr && payload->is_text() && payload->text == kKeepNothing) {
      fields.any("payload");
      made.payload = milliseconds(0);
    } else {
      made.payload = fields.duration("payload", kRetentionRange);
    }
    made.logs = fields.duration("logs", kRetentionRange);
    made.archive = fields.duration("archive", kRetentionRange);
    if (made.archive && made.payload == milliseconds(0))
      fields.problem("archive", "conflicting-keys", "nothing is archived of jobs with `payload: none`");
    made.payload_at = fields.at("payload");
    made.logs_at = fields.at("logs");
    made.archive_at = fields.at("archive");
    fields.finish();
    return made;
  }

  Concurrency read_concurrency(const Node& node) {
    Concurrency made;
    FieldReader fields(node, reading_.report, "`concurrency`");
    made.limit = fields.integer("limit", {1, kMaxConcurrency}).value_or(1);
    if (const auto* key = fields.text_node("key")) made.key = read_key(*key);
    if (const auto word = fields.choice("on_conflict", kOnConflict.all()))
      made.on_conflict = kOnConflict.meaning(*word);
    fields.finish();
    return made;
  }

  // The relay compiles it when a job starts.
  std::optional<expr::Template> read_key(const Node& node) {
    if (node.text.size() <= kMaxRelaysKey) return reading_.text(node, kEventRoots);
    reading_.report.add(node.at, "too-large", fmt::format("`key` has at most {} bytes", kMaxRelaysKey));
    return std::nullopt;
  }

  // The relay keeps keys in clear, and shows them.
  void check_key(const Recipe& made, const std::optional<expr::Template>& key, std::string_view holder,
                 std::string_view name) {
    const auto mask = trigger_mask(made);
    if (!key || mask.nothing() ||
        !std::ranges::any_of(key->references(), [&](const expr::Reference& one) { return touches(mask, one.path); }))
      return;
    const auto* node = fields_.node().find(holder)->find(name);
    reading_.report.add(node->at, "masked-key",
                        fmt::format("`{}` uses what is masked, and is kept and shown in clear: let it depend on "
                                    "something else",
                                    name));
  }

  static bool touches(const Mask& mask, const std::vector<std::string>& path) {
    if (path.front() == "inputs") return mask.touches(path);
    return path.front() == "trigger" && mask.touches(std::span(path).subspan(1));
  }

  Reading& reading_;
  FieldReader fields_;
};

Value only(const Value& map, std::span<const std::string_view> names) {
  ValueMap kept;
  for (const auto name : names) {
    if (const auto* value = map.find(name)) kept.emplace(Value(name), *value);
  }
  return Value(std::move(kept));
}

Value outline_of(const Value& root) {
  ValueMap outline = only(root, kOutline).as_map();
  const auto* trigger = root.find("trigger");
  const auto* uses = trigger == nullptr ? nullptr : trigger->find("uses");
  if (uses != nullptr) outline.emplace(Value("trigger"), *uses);
  const auto* mask = trigger == nullptr ? nullptr : trigger->find("mask");
  if (mask != nullptr) outline.emplace(Value("mask"), *mask);
  const auto* dedupe = trigger == nullptr ? nullptr : trigger->find("dedupe");
  if (dedupe != nullptr && *uses == Value(kWebhookTrigger)) outline.emplace(Value("dedupe"), *dedupe);
  const auto* steps = root.find("steps");
  if (steps == nullptr || !steps->is(Value::Kind::list)) return Value(std::move(outline));
  ValueList outlines;
  for (const auto& step : steps->as_list()) outlines.push_back(only(step, kStepOutline));
  outline.emplace(Value("steps"), Value(std::move(outlines)));
  return Value(std::move(outline));
}

std::expected<Recipe, Problems> read(const Node& root, std::string_view source, RecipeReader::Form form,
                                     const LoadOptions& options) {
  yaml::Report report(options.file);
  Reading reading(source, options, report);
  auto made = RecipeReader(root, reading).read(form);
  if (!report.clean()) return std::unexpected(report.take());
  return made;
}

std::expected<Value, Problems> parse_canonical(std::string_view json, const LoadOptions& options) {
  const JsonLimits limits{.max_bytes = options.limits.max_bytes * kCanonicalGrowth,
                          .max_depth = options.limits.max_depth + 1};
  auto value = parse_json(json, limits);
  if (!value) return std::unexpected(Problems{{options.file, 0, 0, "bad-json", value.error().message}});
  return *std::move(value);
}

}  // namespace

void check_connection(FieldReader& fields, ConnectionNeed need, Reading& reading) {
  const auto* node = fields.node().find("connection");
  if (node == nullptr) {
    if (need.kinds.empty()) return;
    return fields.report().add(
        fields.at(), "missing-connection",
        fmt::format("`{}` needs `connection`, of the kind {}", need.name, fmt::join(need.kinds, " or ")));
  }
  if (!node->is_text()) return;
  if (need.kinds.empty()) {
    return fields.problem("connection", "wrong-connection", fmt::format("`{}` takes no connection", need.name));
  }
  if (!reading.check_name(*node, "connection") || reading.options.connections == nullptr) return;
  const auto found = reading.options.connections->find(node->text);
  if (found == reading.options.connections->end()) {
    std::vector<std::string_view> known;
    for (const auto& [name, kind] : *reading.options.connections) known.emplace_back(name);
    return fields.problem(
        "connection", "unknown-connection",
        fmt::format("there is no connection {}{}", yaml::quoted(node->text), yaml::suggestion(node->text, known)));
  }
  if (std::ranges::find(need.kinds, found->second) == need.kinds.end()) {
    fields.problem("connection", "wrong-connection",
                   fmt::format("`{}` needs a connection of the kind {}, not {}", need.name,
                               fmt::join(need.kinds, " or "), found->second));
  }
}

std::expected<Recipe, Problems> load_recipe(std::string_view yaml_text, const LoadOptions& options) {
  SP_TRY(auto root, yaml::parse(yaml_text, options.file, options.limits));
  yaml::Report report(options.file);
  expand_streams(root, report);
  if (!report.clean()) return std::unexpected(report.take());
  return read(root, yaml_text, RecipeReader::Form::written, options);
}

std::expected<Recipe, Problems> recipe_from_canonical(std::string_view json, const LoadOptions& options) {
  SP_TRY(const auto value, parse_canonical(json, options));
  return read(yaml::from_value(value), {}, RecipeReader::Form::stored, options);
}

std::expected<Recipe, Problems> outline_from_canonical(std::string_view json, const LoadOptions& options) {
  SP_TRY(const auto value, parse_canonical(json, options));
  const auto root = yaml::from_value(outline_of(value));
  yaml::Report report(options.file);
  Reading reading({}, options, report);
  auto made = RecipeReader(root, reading).read_outline();
  if (!report.clean()) return std::unexpected(report.take());
  return made;
}

}  // namespace sallyport::recipe
