#include "shared/recipe/reference.h"

#include "shared/recipe/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace sallyport::recipe {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kIndexHead =
    "# Triggers and actions\n"
    "Made from the catalogue (`shared/recipe`), like the tables of the pages named here; `recipes.md` explains how "
    "recipes "
    "use them.\n"
    "In those tables a field marked *literal* takes no `${{ }}`, and one marked *secret* may take values from "
    "`secrets`. "
    "Durations are written `250ms`, `5s`, `10m`, `2h`, `14d`.\n"
    "Besides the errors that it names, any action can end with `cancelled` or `internal`.\n";
constexpr std::array kFormats{"csv"sv, "fixed"sv, "gzip"sv, "json"sv, "xml"sv, "zip"sv, "zstd"sv};

// The page of docs/connectors that a trigger or action stands on: its kind of connection, where it needs one.
std::string page_of(std::string_view name, std::span<const std::string_view> connections) {
  if (!connections.empty()) return std::string(connections.front());
  const auto family = name.substr(0, name.find_first_of(".@"));
  if (std::ranges::find(kFormats, family) != kFormats.end()) return "formats";
  return family == "command" || family == "webhook" ? std::string(family) : "built-in";
}

std::string in_cell(std::string_view text) {
  std::string out;
  for (const char letter : text) out += letter == '|' ? "\\|" : std::string(1, letter);
  return out;
}

std::string duration(std::int64_t ms) {
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 4> kUnits{
      {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}}};
  for (const auto& [length, unit] : kUnits) {
    if (ms != 0 && ms % length == 0) return fmt::format("{}{}", ms / length, unit);
  }
  return ms == 0 ? "0s" : fmt::format("{}ms", ms);
}

std::string grouped(std::int64_t number) {
  auto out = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    out.insert(static_cast<std::size_t>(at), ",");
  return out;
}

std::string limits(const Field& field) {
  if (!field.choices.empty()) return fmt::format("`{}`", fmt::join(field.choices, "`, `"));
  const auto shown = has(field.types, Types::duration) ? duration : grouped;
  const bool from = field.min != std::numeric_limits<std::int64_t>::min();
  const bool to = field.max != std::numeric_limits<std::int64_t>::max();
  if (from && to) return fmt::format("{} to {}", shown(field.min), shown(field.max));
  if (from) return "from " + shown(field.min);
  return to ? "to " + shown(field.max) : "";
}

std::string takes(const Field& field) {
  auto out = to_string(field.types);
  if (has(field.traits, Traits::literal_only)) out += ", *literal*";
  if (has(field.traits, Traits::accepts_secret)) out += ", *secret*";
  return out;
}

std::string default_of(const Field& field) {
  if (field.required()) return "**required**";
  return field.default_json.empty() ? "" : fmt::format("`{}`", in_cell(field.default_json));
}

std::string input_rows(std::span<const Field> list, std::string_view prefix) {
  std::string out;
  for (const auto& field : list) {
    out += fmt::format("| `{}{}` | {} | {} | {} | {} |\n", prefix, field.name, takes(field), default_of(field),
                       limits(field), in_cell(field.doc));
    if (!field.inside.empty()) out += input_rows(field.inside, fmt::format("{}{}[].", prefix, field.name));
  }
  return out;
}

std::string inputs(std::span<const Field> list) {
  if (list.empty()) return {};
  return "\n| input | takes | default | limits | meaning |\n|---|---|---|---|---|\n" + input_rows(list, "");
}

std::string outputs(std::string_view prefix, std::span<const OutputField> list) {
  if (list.empty()) return {};
  std::string out = "\n| output | is | meaning |\n|---|---|---|\n";
  for (const auto& output : list)
    out += fmt::format("| `{}.{}` | {} | {} |\n", prefix, output.name, to_string(output.types), in_cell(output.doc));
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

std::string reference_of(const TriggerInfo& trigger) {
  return fmt::format("\n### `{}`\nTrigger. {}\n{}{}", trigger.name, trigger.doc, inputs(trigger.fields),
                     outputs("trigger", trigger.data));
}

std::string reference_of(const ActionInfo& action) {
  auto out = fmt::format("\n### `{}`\n{}\n{}", action.name, action.doc, inputs(action.fields));
  if (!action.exactly_one.empty())
    out += fmt::format("\nExactly one of `{}`.\n", fmt::join(action.exactly_one, "`, `"));
  return out + outputs("output", action.output) +
         fmt::format("\nErrors: `{}`. After a crash: {}. In a dry run: {}.\n", fmt::join(action.error_classes, "`, `"),
                     describe(action.repeat), to_string(action.dry_run));
}

// Up to the first full stop that ends a sentence.
std::string_view first_sentence(std::string_view doc) { return doc.substr(0, doc.find(". ")); }

template <class Infos>
std::string index_of(std::string_view title, const Infos& infos) {
  auto out = fmt::format("\n## {}\n| name | page | does |\n|---|---|---|\n", title);
  for (const auto& info : infos) {
    const auto page = page_of(info.name, info.connections);
    auto does = std::string(first_sentence(info.doc));
    if (does.ends_with('.')) does.pop_back();
    out += fmt::format("| `{}` | [{}](connectors/{}.md) | {} |\n", info.name, page, page, in_cell(does));
  }
  return out;
}

}  // namespace

std::string_view to_string(DryRun dry_run) {
  switch (dry_run) {
    case DryRun::refused: return "refused";
    case DryRun::runs: return "runs";
    case DryRun::reads_only: return "runs when it only reads, else planned";
    case DryRun::rolls_back: return "rolled back, or planned where that is not certain";
    case DryRun::planned: return "planned";
  }
  return {};
}

std::set<std::string> reference_pages() {
  std::set<std::string> pages;
  for (const auto& trigger : triggers()) pages.insert(page_of(trigger.name, trigger.connections));
  for (const auto& action : actions()) pages.insert(page_of(action.name, action.connections));
  return pages;
}

std::string page_reference(std::string_view page) {
  std::string out;
  for (const auto& trigger : triggers()) {
    if (page_of(trigger.name, trigger.connections) == page) out += reference_of(trigger);
  }
  for (const auto& action : actions()) {
    if (page_of(action.name, action.connections) == page) out += reference_of(action);
  }
  return out;
}

std::string catalogue_index() {
  return std::string(kIndexHead) + index_of("Triggers", triggers()) + index_of("Actions", actions());
}

}  // namespace sallyport::recipe
