#include "relay/cli/usage.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::cli {
namespace {

constexpr std::size_t kWordsWidth = 28;
constexpr std::string_view kExitCodes =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 relay not reachable or not able to "
    "now.\n";

std::string call_of(const Command& command) {
  std::string line = name_of(command);
  for (const auto positional : command.positionals) line += fmt::format(" {}", positional);
  for (const auto& option : command.options) {
    if (option.need == Need::required) line += " " + written(option);
  }
  return line;
}

std::string line_of(const Option& option) {
  const auto words = written(option);
  const auto gap = words.size() <= kWordsWidth ? "" : "\n" + std::string(kWordsWidth + 2, ' ');
  return fmt::format("  {:<{}}{} {}{}\n", words, kWordsWidth, gap, option.help,
                     option.need == Need::required ? " (required)" : "");
}

}  // namespace

std::vector<std::string_view> name_words(const Command& command) {
  std::vector<std::string_view> words{command.noun};
  for (auto rest = command.verb; !rest.empty();) {
    const auto space = rest.find(' ');
    words.push_back(rest.substr(0, space));
    rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  }
  return words;
}

std::string name_of(const Command& command) { return fmt::format("{}", fmt::join(name_words(command), " ")); }

bool is_same_word(std::string_view declared, std::string_view given) {
  const auto stem = [](std::string_view word) { return word.ends_with('s') ? word.substr(0, word.size() - 1) : word; };
  return stem(declared) == stem(given);
}

FoundCommand find_command(std::span<const Command> commands, std::span<const std::string> words) {
  for (const auto& command : commands) {
    const auto name = name_words(command);
    if (name.size() <= words.size() && std::ranges::equal(name, words.first(name.size()), is_same_word))
      return {&command, name.size()};
  }
  return {};
}

std::vector<const Command*> commands_below(std::span<const Command> commands, std::span<const std::string> words) {
  std::vector<const Command*> below;
  for (const auto& command : commands) {
    const auto name = name_words(command);
    if (words.size() <= name.size() && std::ranges::equal(std::span(name).first(words.size()), words, is_same_word))
      below.push_back(&command);
  }
  return below;
}

std::string usage_of(const Command& command) {
  std::string out = fmt::format("usage: sallyport {} [options]\n\n{}\n\n", call_of(command), command.help);
  if (!command.details.empty()) out += fmt::format("{}\n\n", command.details);
  out += "options:\n";
  for (const auto& option : command.options) out += line_of(option);
  for (const auto& option : common_options()) {
    if (find_option(command, option.name) == &option) out += line_of(option);
  }
  return out + "\n" + std::string(kExitCodes);
}

std::string usage_of(std::span<const Command* const> commands) {
  std::string out = "usage: sallyport NOUN VERB [arguments] [options]\n\n";
  std::string_view noun;
  for (const auto* command : commands) {
    if (!noun.empty() && command->noun != noun && !command->verb.empty()) out += "\n";
    noun = command->noun;
    out += fmt::format("  {:<46} {}\n", call_of(*command), command->help);
  }
  return out + "\nEvery command takes --help (-h) and -o table|json|yaml.\n" + std::string(kExitCodes);
}

}  // namespace sallyport::cli
