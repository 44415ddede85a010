#include "shared/recipe/check.h"
#include "shared/recipe/reading.h"
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

constexpr yaml::DurationRange kTimeouts{kMinTimeout, kMaxTimeout};
constexpr yaml::DurationRange kDelays{milliseconds(1), std::chrono::hours(24)};

// Classes with a number behind them: ldap:68.
constexpr std::array<std::string_view, 4> kNumbered{"exit", "ldap", "signal", "smtp"};

bool is_error_class(std::string_view text) {
  if (text == "any" || std::ranges::find(error_classes(), text) != error_classes().end()) return true;
  const auto all = [](std::string_view rest, auto test) { return std::ranges::all_of(rest, test); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.starts_with("sqlstate:")) {
    const auto state = text.substr(9);
    return state.size() == 5 && all(state, [&](char c) { return is_digit(c) || (c >= 'A' && c <= 'Z'); });
  }
  if (text.starts_with("status:")) return text.size() == 10 && all(text.substr(7), is_digit);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || std::ranges::find(kNumbered, text.substr(0, colon)) == kNumbered.end())
    return false;
  const auto code = text.substr(colon + 1);
  return !code.empty() && code.size() <= 3 && all(code, is_digit);
}

Retry read_retry(const Node& node, Reading& reading) {
  Retry made;
  FieldReader fields(node, reading.report, "`retry`");
  made.max = fields.integer("max", {1, kMaxRetries}, Need::required).value_or(0);
  if (const auto word = fields.choice("backoff", kBackoff.all())) made.backoff = kBackoff.meaning(*word);
  made.initial = fields.duration("initial", kDelays);
  made.max_delay = fields.duration("max_delay", kDelays);
  if (made.initial && made.max_delay && *made.initial > *made.max_delay) {
    fields.problem("initial", "out-of-range", "`initial` is longer than `max_delay`, which bounds every wait");
  }
  made.on = fields.texts("on");
  if (const auto* list = node.find("on"); list != nullptr && list->is_sequence() && list->items.empty()) {
    fields.problem("on", "missing-field", "`on` is empty: leave it out, or name the error classes");
  }
  for (const auto& error_class : made.on) {
    if (is_error_class(error_class)) continue;
    fields.problem(
        "on", "unknown-error-class",
        fmt::format(
            "unknown error class {}{}; known are {}, sqlstate:XXXXX, status:NNN, ldap:N, smtp:N, exit:N, signal:N "
            "and any",
            yaml::quoted(error_class), yaml::suggestion(error_class, error_classes()),
            fmt::join(error_classes(), ", ")));
  }
  fields.finish();
  return made;
}

std::optional<Foreach> read_foreach(const Node& node, Roots allowed, Reading& reading) {
  if (!node.is_mapping()) {
    auto over = reading.expression(node, "foreach", allowed);
    return over ? std::optional(Foreach{.over = *std::move(over)}) : std::nullopt;
  }
  FieldReader fields(node, reading.report, "`foreach`");
  const auto* over_node = fields.any("over", Need::required);
  auto over = over_node != nullptr ? reading.expression(*over_node, "over", allowed) : std::nullopt;
  const auto concurrency = fields.integer("concurrency", {1, kMaxForeachConcurrency});
  const auto max_items = fields.integer("max_items", {1, 1'000'000'000});
  const auto on_item = fields.choice("on_item_failure", kOnItemFailure.all());
  fields.finish();
  if (!over) return std::nullopt;
  return Foreach{.over = *std::move(over),
                 .concurrency = concurrency.value_or(1),
                 .max_items = max_items,
                 .on_item_failure = kOnItemFailure.meaning(on_item.value_or("fail"))};
}

Stop read_stop(const Node& node, Roots allowed, Reading& reading) {
  Stop made;
  FieldReader fields(node, reading.report, "`stop`");
  const auto status = fields.choice("status", kStopStatus.all(), Need::required);
  made.status = kStopStatus.meaning(status.value_or("succeeded"));
  if (const auto* message = fields.text_node("message")) made.message = reading.text(*message, allowed);
  fields.finish();
  return made;
}

std::vector<MaskRoot> mask_roots(const ActionInfo* action) {
  MaskRoot input{"input"}, output{"output"};
  if (action != nullptr) {
    input.members = names_of(action->fields);
    for (const auto& one : action->output) output.members.push_back(one.name);
  }
  return {std::move(input), std::move(output)};
}

class StepReader {
 public:
  StepReader(const Node& node, Roots allowed, Reading& reading)
      : node_(node), allowed_(allowed), reading_(reading), fields_(node, reading.report, "a step") {}

  Step read() {
    Step made;
    made.at = node_.at;
    made.id = fields_.text("id", Need::required).value_or("");
    made.name = fields_.text("name").value_or("");
    if (const auto* condition = fields_.any("if")) made.condition = reading_.expression(*condition, "if", allowed_);
    const auto* uses = fields_.text_node("uses");
    const auto* stop = fields_.any("stop");
    read_running(made);
    fields_.finish();
    if (!node_.is_mapping()) return made;
    if (uses != nullptr && stop != nullptr) {
      fields_.problem("stop", "conflicting-keys", "a step has either `uses` or `stop`");
    } else if (stop != nullptr) {
      only_stop();
      made.stop = read_stop(*stop, allowed_, reading_);
    } else if (uses != nullptr) {
      read_action(made, *uses);
    } else if (node_.find("uses") == nullptr) {
      reading_.report.add(node_.at, "missing-field", "a step needs `uses` or `stop`");
    }
    return made;
  }

 private:
  void read_running(Step& made) {
    made.connection = fields_.text("connection").value_or("");
    with_ = fields_.mapping("with");
    if (const auto* over = fields_.any("foreach")) made.foreach = read_foreach(*over, allowed_, reading_);
    const auto* uses = node_.find("uses");
    made.mask = read_mask(fields_, mask_roots(uses != nullptr ? find_action(uses->text) : nullptr));
    if (const auto* retry = fields_.mapping("retry")) made.retry = read_retry(*retry, reading_);
    made.timeout = fields_.duration("timeout", kTimeouts);
    if (const auto word = fields_.choice("on_failure", kOnFailure.all())) made.on_failure = kOnFailure.meaning(*word);
    if (const auto word = fields_.choice("on_in_doubt", kOnInDoubt.all())) made.on_in_doubt = kOnInDoubt.meaning(*word);
  }

  void only_stop() {
    for (const auto& member : node_.members) {
      if (member.key == "id" || member.key == "name" || member.key == "if" || member.key == "stop") continue;
      reading_.report.add(member.at, "conflicting-keys",
                          fmt::format("{} has no meaning in a step with `stop`", yaml::quoted(member.key)));
    }
    if (has(allowed_, Roots::error))
      fields_.problem("stop", "conflicting-keys", "the job has failed already: `stop` has no meaning in `on_failure`");
  }

  void read_action(Step& made, const Node& uses) {
    made.uses = uses.text;
    const auto* action = known_action(uses, reading_.report);
    if (action == nullptr) return;
    if (made.timeout && needs_no_worker(action->name)) {
      fields_.problem("timeout", "conflicting-keys",
                      fmt::format("`timeout` has no meaning for {}: it runs for no longer than it is told to",
                                  yaml::quoted(action->name)));
    }
    check_connection(fields_, {action->name, action->connections}, reading_);
    const auto names = node_.find("foreach") != nullptr ? allowed_ | Roots::item : allowed_;
    made.with = read_with(with_, *action, names, reading_, node_.at);
  }

  const Node& node_;
  Roots allowed_;
  Reading& reading_;
  FieldReader fields_;
  const Node* with_ = nullptr;
};

}  // namespace

const ActionInfo* known_action(const Node& uses, yaml::Report& report) {
  const auto* action = find_action(uses.text);
  if (action != nullptr) return action;
  std::vector<std::string_view> known;
  for (const auto& one : actions()) known.push_back(one.name);
  report.add(uses.at, "unknown-action",
             fmt::format("unknown action {}{}", yaml::quoted(uses.text), yaml::suggestion(uses.text, known)));
  return nullptr;
}

void note_steps(const Node* list, Reading& reading) {
  if (list == nullptr || !list->is_sequence()) return;
  for (const auto& node : list->items) {
    const auto* id = node.find("id");
    if (id == nullptr || !id->is_text()) continue;
    if (!is_identifier(id->text)) {
      reading.report.add(id->at, "bad-name", "`id` must be 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter");
    }
    const auto* uses = node.find("uses");
    const StepNote note{.action = uses != nullptr ? find_action(uses->text) : nullptr,
                        .repeated = node.find("foreach") != nullptr};
    if (!reading.steps.emplace(id->text, note).second) {
      reading.report.add(id->at, "duplicate-step-id",
                         fmt::format("another step has the id {}", yaml::quoted(id->text)));
    }
  }
}

std::vector<Step> read_steps(const Node& list, Roots allowed, Reading& reading) {
  std::vector<Step> made;
  for (const auto& node : list.items) {
    made.push_back(StepReader(node, allowed, reading).read());
    if (const auto note = reading.steps.find(made.back().id); note != reading.steps.end()) note->second.ran = true;
  }
  return made;
}

}  // namespace sallyport::recipe
