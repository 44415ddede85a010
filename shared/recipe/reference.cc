#include "shared/recipe/catalogue.h"
#include "shared/recipe/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sallyport::recipe {
namespace {

constexpr std::string_view kHead =
    "# Triggers and actions\n"
    "Made from the catalogue (`shared/recipe`); `recipes.md` explains how recipes use them.\n"
    "A field marked *literal* takes no `${{ }}`; one marked *secret* may take values from `secrets`.\n"
    "Besides the errors that it names, any action can end with `cancelled` or `internal`.\n";

std::string traits(const Field& field) {
  std::string out;
  if (field.required()) out += ", required";
  if (has(field.traits, Traits::literal_only)) out += ", literal";
  if (has(field.traits, Traits::accepts_secret)) out += ", secret";
  if (!field.choices.empty()) out += fmt::format("; one of {}", fmt::join(field.choices, ", "));
  if (!field.default_json.empty()) out += fmt::format("; default `{}`", field.default_json);
  return out;
}

std::string fields(std::span<const Field> list, std::string_view prefix) {
  std::string out;
  for (const auto& field : list) {
    out +=
        fmt::format("| `{}{}` | {}{} | {} |\n", prefix, field.name, to_string(field.types), traits(field), field.doc);
    if (!field.inside.empty()) out += fields(field.inside, fmt::format("{}{}[].", prefix, field.name));
  }
  return out;
}

std::string outputs(std::string_view prefix, std::span<const OutputField> list) {
  std::string out;
  for (const auto& output : list) {
    out += fmt::format("- `{}.{}`: {}; {}\n", prefix, output.name, to_string(output.types), output.doc);
  }
  return out.empty() ? out : "\n" + out;
}

std::string section(std::string_view name, std::string_view doc, std::span<const std::string_view> connections,
                    std::span<const Field> list) {
  auto out = fmt::format("\n### `{}`\n{}", name, doc);
  if (!connections.empty()) out += fmt::format(" Connection: {}.", fmt::join(connections, " or "));
  out += "\n";
  if (!list.empty()) out += "\n| field | takes | meaning |\n|---|---|---|\n" + fields(list, "");
  return out;
}

std::string_view describe(Repeat repeat) {
  switch (repeat) {
    case Repeat::safe: return "running it again is safe";
    case Repeat::ledger: return "the effect ledger tells whether it happened";
    case Repeat::unknown: return "in doubt: `on_in_doubt` decides";
  }
  return {};
}

}  // namespace

std::string catalogue_reference() {
  std::string out(kHead);
  out += "\n## Triggers\n";
  for (const auto& trigger : triggers()) {
    out += section(trigger.name, trigger.doc, trigger.connections, trigger.fields) + outputs("trigger", trigger.data);
  }
  out += "\n## Actions\n";
  for (const auto& action : actions()) {
    out += section(action.name, action.doc, action.connections, action.fields);
    if (!action.exactly_one.empty())
      out += fmt::format("\nExactly one of `{}`.\n", fmt::join(action.exactly_one, "`, `"));
    out += outputs("output", action.output);
    out += fmt::format("\nErrors: {}. After a crash: {}.\n", fmt::join(action.error_classes, ", "),
                       describe(action.repeat));
  }
  return out;
}

}  // namespace sallyport::recipe
