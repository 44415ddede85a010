#include "relay/cli/commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/text.h"

namespace sallyport::cli {
namespace {

std::vector<Command> own_commands() {
  const auto complete = [](Context& context, const Arguments& arguments) {
    auto script = completion_script(arguments.positional(0), all_commands());
    if (!script) return context.fail_with(script.error());
    context.print(*script);
    return static_cast<int>(kDone);
  };
  const auto version = [](Context& context, const Arguments&) {
    context.print("sallyport " SALLYPORT_VERSION "\n");
    return static_cast<int>(kDone);
  };
  return {
      {"completion", "", {"SHELL"}, {}, "print a completion script for bash, zsh or fish", complete},
      {"version", "", {}, {}, "print the version", version},
  };
}

// Nouns may be written in singular or plural.
bool is_same_word(std::string_view declared, std::string_view given) {
  const auto stem = [](std::string_view word) { return word.ends_with('s') ? word.substr(0, word.size() - 1) : word; };
  return stem(declared) == stem(given);
}

// The command whose noun and verb begin `words`, and how many words those are.
const Command* find(const std::vector<Command>& commands, const std::vector<std::string>& words, std::size_t& used) {
  for (const auto& command : commands) {
    std::vector<std::string_view> name{command.noun};
    for (auto rest = command.verb; !rest.empty();) {
      const auto space = rest.find(' ');
      name.push_back(rest.substr(0, space));
      rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
    }
    if (name.size() <= words.size() && std::ranges::equal(name, std::span(words).first(name.size()), is_same_word)) {
      used = name.size();
      return &command;
    }
  }
  return nullptr;
}

int unknown_command(const Context& context, const std::vector<Command>& commands,
                    const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(fmt::format("{} {}", command.noun, command.verb));
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto given = fmt::format("{}{}{}", words[0], words.size() > 1 ? " " : "", words.size() > 1 ? words[1] : "");
  const auto hint = nearest(given, views);
  context.complain(fmt::format("unknown command '{}'{}; sallyport help lists them", terminal_safe(given),
                               hint ? fmt::format(" (did you mean '{}'?)", *hint) : ""));
  return kUsage;
}

}  // namespace

std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (auto make : {login_commands, agent_commands, recipe_commands, job_commands, access_commands, expression_commands,
                    own_commands}) {
    std::ranges::move(make(), std::back_inserter(all));
  }
  return all;
}

int run(Context& context, const std::vector<std::string>& words) {
  const auto commands = all_commands();
  if (words.empty() || words[0] == "help" || words[0] == "--help" || words[0] == "-h") {
    context.print(usage_of(commands));
    return words.empty() ? kUsage : kDone;
  }
  std::size_t used = 0;
  const Command* command = find(commands, words, used);
  if (command == nullptr) return unknown_command(context, commands, words);
  auto arguments = parse_arguments(*command, std::span(words).subspan(used));
  if (!arguments) {
    context.complain(arguments.error().message);
    context.complain(fmt::format("see: sallyport {} {} --help", command->noun, command->verb));
    return kUsage;
  }
  if (arguments->has("help")) {
    context.print(usage_of(*command));
    return kDone;
  }
  auto format = parse_format(arguments->get("output"));
  if (!format) {
    context.complain(format.error().message);
    return kUsage;
  }
  context.format = *format;
  context.relay_option = arguments->get("relay");
  return command->run(context, *arguments);
}

}  // namespace sallyport::cli
