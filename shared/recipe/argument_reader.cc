#include "shared/recipe/check.h"
#include "shared/recipe/reading.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::recipe {
namespace {

using yaml::Node;

class WithReader {
 public:
  WithReader(Roots allowed, Reading& reading) : allowed_(allowed), reading_(reading) {}

  // A mapping whose members are these fields.
  Argument fields(const Node& node, std::span<const Field> fields, std::string_view what) {
    if (!node.is_mapping()) {
      reading_.report.add(node.at, "wrong-type",
                          fmt::format("{} must be a mapping, not {}", what, yaml::describe(node)));
      return {};
    }
    Argument::Map members;
    for (const auto& member : node.members) {
      if (const auto* field = find_field(fields, member.key)) {
        members.emplace(member.key, value(*field, member.value));
      } else {
        unknown(member, fields, what);
      }
    }
    for (const auto& field : fields) {
      if (field.required() && node.find(field.name) == nullptr) {
        reading_.report.add(node.at, "missing-field", fmt::format("{} needs `{}`", what, field.name));
      }
    }
    return Argument(std::move(members));
  }

 private:
  void unknown(const yaml::Member& member, std::span<const Field> fields, std::string_view what) {
    const auto known = names_of(fields);
    auto hint = yaml::suggestion(member.key, known);
    if (hint.empty())
      hint =
          known.empty() ? fmt::format(": {} has none", what) : fmt::format("; {} has {}", what, fmt::join(known, ", "));
    reading_.report.add(member.at, "unknown-field", fmt::format("unknown field {}{}", yaml::quoted(member.key), hint));
  }

  Argument value(const Field& field, const Node& node) {
    if (must_be_written_out(field) && !reading_.is_literal(node, field.name)) return {};
    const auto names = has(field.traits, Traits::accepts_secret) ? allowed_ | Roots::secrets : allowed_;
    if (node.is_text() && find_expression(node.text) != std::string_view::npos) {
      return with_expression(field, node, names);
    }
    if (node.is_sequence() && !field.inside.empty()) {
      Argument::List items;
      for (const auto& item : node.items)
        items.push_back(fields(item, field.inside, fmt::format("each of `{}`", field.name)));
      if (items.empty()) reading_.report.add(node.at, "missing-field", fmt::format("`{}` is empty", field.name));
      return Argument(std::move(items));
    }
    const auto shape = node.is_sequence() ? Value(ValueList{}) : node.is_mapping() ? Value(ValueMap{}) : node.value;
    if (auto fault = check_value(field, shape)) {
      if (lacks_quotes(field, shape)) fault->message += ": put it in quotes";
      reading_.report.add(node.at, fault->rule, std::move(fault->message));
      return {};
    }
    return tree(node, names);
  }

  Argument with_expression(const Field& field, const Node& node, Roots names) {
    auto made = reading_.text(node, names);
    if (!made) return {};
    const bool takes_text = has(field.types, Types::text | Types::duration | Types::any);
    if (!made->is_whole() && !takes_text) {
      reading_.report.add(
          node.at, "wrong-type",
          fmt::format("`{}` must be {}: text around `${{{{ }}}}` makes it text", field.name, to_string(field.types)));
    }
    return Argument(*std::move(made));
  }

  Argument tree(const Node& node, Roots names) {
    if (node.is_sequence()) {
      Argument::List items;
      for (const auto& item : node.items) items.push_back(tree(item, names));
      return Argument(std::move(items));
    }
    if (node.is_mapping()) {
      Argument::Map members;
      for (const auto& member : node.members) members.emplace(member.key, tree(member.value, names));
      return Argument(std::move(members));
    }
    if (!node.is_text() || node.text.find("${{") == std::string::npos) return Argument(node.value);
    auto made = reading_.text(node, names);
    return made ? Argument(*std::move(made)) : Argument();
  }

  Roots allowed_;
  Reading& reading_;
};

void check_exactly_one(const Node& node, const ActionInfo& action, Reading& reading) {
  if (action.exactly_one.empty() || !node.is_mapping()) return;
  const auto given = std::ranges::count_if(action.exactly_one, [&](auto name) { return node.find(name) != nullptr; });
  if (given == 1) return;
  reading.report.add(node.at, "missing-field",
                     fmt::format("`{}` needs exactly one of {}", action.name, fmt::join(action.exactly_one, ", ")));
}

bool depends_on_event(const expr::Template& key) {
  return std::ranges::any_of(key.references(), [](const expr::Reference& reference) {
    return reference.path.front() == "trigger" || reference.path.front() == "inputs";
  });
}

}  // namespace

Argument read_with(const yaml::Node* with, const ActionInfo& action, Roots allowed, Reading& reading,
                   yaml::Position step) {
  Node none;
  none.kind = Node::Kind::mapping;
  none.at = step;
  const Node& node = with != nullptr ? *with : none;
  auto made = WithReader(allowed, reading).fields(node, action.fields, fmt::format("`{}`", action.name));
  check_exactly_one(node, action, reading);
  return made;
}

namespace {

std::vector<MaskRoot> mask_roots(const TriggerInfo* trigger) {
  std::vector<MaskRoot> roots{{"inputs"}};
  if (trigger == nullptr) return {};
  for (const auto& one : trigger->data) roots.push_back({one.name});
  return roots;
}

}  // namespace

Trigger read_trigger(const yaml::Node& node, Reading& reading) {
  Trigger made;
  made.at = node.at;
  yaml::FieldReader fields(node, reading.report, "`trigger`");
  made.uses = fields.text("uses", yaml::Need::required).value_or("");
  if (const auto* connection = fields.text_node("connection")) made.connection = connection->text;
  const auto* with = fields.mapping("with");
  reading.trigger = find_trigger(made.uses);
  if (const auto* dedupe = fields.text_node("dedupe")) made.dedupe = reading.text(*dedupe, kEventRoots);
  made.mask = read_mask(fields, mask_roots(reading.trigger));
  fields.finish();
  if (made.uses.empty()) return made;
  const auto* info = reading.trigger;
  if (info == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& trigger : triggers()) known.push_back(trigger.name);
    fields.problem("uses", "unknown-trigger",
                   fmt::format("unknown trigger {}{}", yaml::quoted(made.uses), yaml::suggestion(made.uses, known)));
    return made;
  }
  check_connection(fields, {info->name, info->connections}, reading);
  const ActionInfo shape{.name = info->name, .fields = info->fields};
  made.with = read_with(with, shape, Roots::none, reading, node.at).source();
  if (made.dedupe && made.uses == kWebhookTrigger && made.dedupe->text().size() > kMaxRelaysKey) {
    fields.problem("dedupe", "too-large", fmt::format("`dedupe` has at most {} bytes here", kMaxRelaysKey));
  }
  if (made.dedupe && !depends_on_event(*made.dedupe)) {
    fields.problem("dedupe", "constant-dedupe",
                   "`dedupe` must depend on the event, with `trigger` or `inputs` in it: with a constant key only the "
                   "first event ever runs");
  }
  return made;
}

}  // namespace sallyport::recipe
