#include "agent/policy/command_template.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

namespace sallyport::policy {
namespace {

bool in_class(const CommandParameter& parameter, CommandParameter::Class one) {
  return (parameter.classes & static_cast<unsigned>(one)) != 0;
}

bool is_suitable(const CommandParameter& parameter, char c) {
  using enum CommandParameter::Class;
  const auto byte = static_cast<unsigned char>(c);
  if (parameter.also.contains(c)) return true;
  if (byte == ' ') return in_class(parameter, space) || in_class(parameter, any);
  if (in_class(parameter, any)) return byte > 0x20 && byte != 0x7F;
  if (byte >= '0' && byte <= '9') return in_class(parameter, digits);
  return in_class(parameter, letters) && ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'));
}

std::string why_unsuitable(const CommandParameter& parameter, const std::string& value) {
  if (!is_valid_utf8(value)) return "is not valid UTF-8";
  if (utf8_length(value) > parameter.max_length)
    return fmt::format("is longer than {} characters", parameter.max_length);
  if (!parameter.one_of.empty())
    return std::ranges::find(parameter.one_of, value) != parameter.one_of.end()
               ? ""
               : "is none of the values the template lists";
  if (value.empty()) return "is empty";
  if (value.starts_with('-') && !parameter.may_start_with_dash)
    return "starts with a dash and could be read as an option";
  if (!std::ranges::all_of(value, [&](char c) { return c != '\0' && is_suitable(parameter, c); }))
    return "has a character the template does not allow";
  return "";
}

std::optional<std::string> as_argument(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::string: return value.as_string();
    case Value::Kind::int64: return std::to_string(value.as_int());
    case Value::Kind::uint64: return std::to_string(value.as_uint());
    case Value::Kind::boolean: return value.as_bool() ? "true" : "false";
    default: return std::nullopt;
  }
}

// Calls `on_text` and `on_name` for the pieces of an argument; false when its braces do not match.
template <class OnText, class OnName>
bool for_each_piece(std::string_view argument, OnText on_text, OnName on_name) {
  while (!argument.empty()) {
    const auto brace = argument.find_first_of("{}");
    on_text(argument.substr(0, brace));
    if (brace == std::string_view::npos) return true;
    argument.remove_prefix(brace);
    if (argument.size() > 1 && argument[0] == argument[1]) {
      on_text(argument.substr(0, 1));
      argument.remove_prefix(2);
      continue;
    }
    const auto close = argument.find('}');
    if (argument[0] == '}' || close == std::string_view::npos || close == 1) return false;
    on_name(argument.substr(1, close - 1));
    argument.remove_prefix(close + 1);
  }
  return true;
}

constexpr std::size_t kMaxVariable = 32u << 10;

}  // namespace

std::optional<std::vector<std::string>> placeholders_of(std::string_view argument) {
  std::vector<std::string> names;
  const bool balanced = for_each_piece(argument, [](auto) {}, [&](std::string_view name) { names.emplace_back(name); });
  return balanced ? std::optional(std::move(names)) : std::nullopt;
}

Verdict<std::vector<std::string>> fill_template(const CommandTemplate& command, const Value& parameters) {
  const auto refuse = [&](std::string_view name, std::string_view why) {
    return std::unexpected(Refusal{fmt::format("{}.parameters.{}", command.rule, name),
                                   fmt::format("parameter {} of command {} {}", name, command.name, why)});
  };
  std::map<std::string, std::string, std::less<>> values;
  for (const auto& [key, value] : parameters.is(Value::Kind::map) ? parameters.as_map() : ValueMap()) {
    if (!key.is(Value::Kind::string) || !command.parameters.contains(key.as_string())) {
      return std::unexpected(Refusal{command.rule + ".parameters",
                                     fmt::format("command {} has no such parameter; it has: {}", command.name,
                                                 fmt::join(command.parameters | std::views::keys, ", "))});
    }
    if (auto text = as_argument(value)) values.emplace(key.as_string(), *std::move(text));
  }
  for (const auto& [name, parameter] : command.parameters) {
    const auto value = values.find(name);
    if (value == values.end()) return refuse(name, "is missing, or no text, integer or boolean");
    if (const auto why = why_unsuitable(parameter, value->second); !why.empty()) return refuse(name, why);
  }
  std::vector<std::string> argv;
  for (const auto& argument : command.argv) {
    std::string filled;
    for_each_piece(
        argument, [&](std::string_view text) { filled += text; },
        [&](std::string_view name) { filled += values.find(name)->second; });
    argv.push_back(std::move(filled));
  }
  return argv;
}

bool is_variable_name(std::string_view name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto fits = [&](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; };
  return !name.empty() && !is_digit(name.front()) && std::ranges::all_of(name, fits);
}

Verdict<std::vector<std::pair<std::string, std::string>>> fill_environment(const CommandTemplate& command,
                                                                           const Value& given) {
  auto environment = command.environment;
  for (const auto& [key, value] : given.is(Value::Kind::map) ? given.as_map() : ValueMap()) {
    const auto known = key.is(Value::Kind::string) ? std::ranges::find(command.recipe_environment, key.as_string())
                                                   : command.recipe_environment.end();
    if (known == command.recipe_environment.end()) {
      return std::unexpected(Refusal{command.rule + ".recipe_environment",
                                     fmt::format("command {} takes no such variable from a recipe; it takes: {}",
                                                 command.name, fmt::join(command.recipe_environment, ", "))});
    }
    auto text = as_argument(value);
    if (!text || text->size() > kMaxVariable || text->contains('\0')) {
      return std::unexpected(
          Refusal{command.rule + ".recipe_environment",
                  fmt::format("variable {} of command {} is no text, integer or boolean, is longer than {} bytes, or "
                              "holds a NUL character",
                              *known, command.name, kMaxVariable)});
    }
    environment.emplace_back(*known, *std::move(text));
  }
  return environment;
}

}  // namespace sallyport::policy
