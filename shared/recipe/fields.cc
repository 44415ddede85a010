#include "shared/recipe/fields.h"

#include "shared/base/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::yaml {

std::string_view describe(const Node& node) {
  if (node.is_sequence()) return "a list";
  if (node.is_mapping()) return "a mapping";
  switch (node.value.kind()) {
    case Value::Kind::null: return "nothing";
    case Value::Kind::boolean: return "true or false";
    case Value::Kind::int64:
    case Value::Kind::uint64: return "an integer";
    case Value::Kind::float64: return "a number";
    default: return "text";
  }
}

FieldReader::FieldReader(const Node& node, Report& report, std::string what)
    : node_(node), report_(report), what_(std::move(what)) {
  if (!node.is_mapping())
    report.add(node.at, "wrong-type", fmt::format("{} must be a mapping, not {}", what_, describe(node)));
}

const Node* FieldReader::any(std::string_view name, Need need) {
  taken_.emplace_back(name);
  const Node* found = node_.find(name);
  if (found == nullptr && need == Need::required && node_.is_mapping()) {
    report_.add(node_.at, "missing-field", fmt::format("{} needs `{}`", what_, name));
  }
  return found;
}

std::string FieldReader::wrong_type(std::string_view name, std::string_view expected, const Node& found) const {
  const bool scalar = found.is_scalar() && !found.value.is_null();
  const auto hint = expected == "text" && scalar ? ": put it in quotes" : "";
  return fmt::format("`{}` must be {}, not {}{}", name, expected, describe(found), hint);
}

const Node* FieldReader::mapping(std::string_view name, Need need) {
  const Node* found = any(name, need);
  if (found == nullptr || found->is_mapping()) return found;
  report_.add(found->at, "wrong-type", wrong_type(name, "a mapping", *found));
  return nullptr;
}

const Node* FieldReader::sequence(std::string_view name, Need need) {
  const Node* found = any(name, need);
  if (found == nullptr || found->is_sequence()) return found;
  report_.add(found->at, "wrong-type", wrong_type(name, "a list", *found));
  return nullptr;
}

const Node* FieldReader::text_node(std::string_view name, Need need) {
  const Node* found = any(name, need);
  if (found == nullptr || found->is_text()) return found;
  report_.add(found->at, "wrong-type", wrong_type(name, "text", *found));
  return nullptr;
}

std::optional<std::string> FieldReader::text(std::string_view name, Need need) {
  const Node* found = text_node(name, need);
  return found != nullptr ? std::optional(found->text) : std::nullopt;
}

std::optional<bool> FieldReader::boolean(std::string_view name, Need need) {
  const Node* found = any(name, need);
  if (found == nullptr) return std::nullopt;
  if (found->is_scalar() && found->value.is(Value::Kind::boolean)) return found->value.as_bool();
  report_.add(found->at, "wrong-type", wrong_type(name, "true or false", *found));
  return std::nullopt;
}

std::optional<std::int64_t> FieldReader::integer(std::string_view name, IntegerRange range, Need need) {
  const Node* found = any(name, need);
  if (found == nullptr) return std::nullopt;
  if (!found->is_scalar() || !found->value.is(Value::Kind::int64)) {
    report_.add(found->at, "wrong-type", wrong_type(name, "an integer", *found));
    return std::nullopt;
  }
  const auto number = found->value.as_int();
  if (number >= range.min && number <= range.max) return number;
  report_.add(found->at, "out-of-range", fmt::format("`{}` must be from {} to {}", name, range.min, range.max));
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> FieldReader::duration(std::string_view name, DurationRange range, Need need) {
  const Node* found = any(name, need);
  if (found == nullptr) return std::nullopt;
  const auto length = found->is_text() ? parse_duration(found->text) : std::nullopt;
  if (!length) {
    report_.add(found->at, "bad-duration",
                fmt::format("`{}` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d`", name));
    return std::nullopt;
  }
  if (*length >= range.min && *length <= range.max) return length;
  report_.add(found->at, "out-of-range",
              fmt::format("`{}` must be from {} to {}", name, format_duration(range.min), format_duration(range.max)));
  return std::nullopt;
}

std::optional<std::string> FieldReader::choice(std::string_view name, std::span<const std::string_view> choices,
                                               Need need) {
  const Node* found = text_node(name, need);
  if (found == nullptr) return std::nullopt;
  if (std::ranges::find(choices, found->text) != choices.end()) return found->text;
  report_.add(
      found->at, "bad-choice",
      fmt::format("`{}` must be one of {}{}", name, fmt::join(choices, ", "), suggestion(found->text, choices)));
  return std::nullopt;
}

std::vector<std::string> FieldReader::texts(std::string_view name, Need need) {
  std::vector<std::string> out;
  const Node* found = sequence(name, need);
  if (found == nullptr) return out;
  for (const auto& item : found->items) {
    if (item.is_text()) {
      out.push_back(item.text);
    } else {
      report_.add(item.at, "wrong-type", wrong_type(name, "a list of texts", item));
    }
  }
  return out;
}

void FieldReader::finish() {
  const std::vector<std::string_view> known(taken_.begin(), taken_.end());
  for (const auto& member : node_.members) {
    if (std::ranges::find(known, member.key) != known.end()) continue;
    auto hint = suggestion(member.key, known);
    if (hint.empty()) hint = fmt::format(" in {}; known are {}", what_, fmt::join(known, ", "));
    report_.add(member.at, "unknown-key", fmt::format("unknown key {}{}", quoted(member.key), hint));
  }
}

Position FieldReader::at(std::string_view name) const {
  const Node* found = node_.find(name);
  return found != nullptr ? found->at : node_.at;
}

void FieldReader::problem(std::string_view name, std::string_view rule, std::string message) {
  report_.add(at(name), rule, std::move(message));
}

}  // namespace sallyport::yaml
