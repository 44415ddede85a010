#include "relay/cli/commands.h"
#include "relay/cli/completion.h"
#include "relay/cli/usage.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sallyport::cli {
namespace {

constexpr std::size_t kLongestName = 3;  // words

std::vector<Command> own_commands() {
  const auto complete = [](Context& context, const Arguments& arguments) {
    auto script = completion_script(arguments.positional(0));
    if (!script) return context.fail_with(script.error());
    context.print(*script);
    return static_cast<int>(kDone);
  };
  const auto version = [](Context& context, const Arguments&) {
    context.show(Value(ValueMap{{Value("name"), Value("sallyport")}, {Value("version"), Value(SALLYPORT_VERSION)}}),
                 "sallyport " SALLYPORT_VERSION "\n");
    return static_cast<int>(kDone);
  };
  return {
      {"completion", "", {"bash|zsh|fish"}, {}, "print a completion script", complete},
      {"version", "", {}, {}, "print the version", version},
  };
}

bool asks_for_help(std::string_view word) { return word == "-h" || word == "--help"; }

// The nearest name to the first words, however many of them were meant to be one.
std::optional<std::string> hint_for(const std::vector<Command>& commands, std::span<const std::string> words) {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    names.push_back(name_of(command));
    names.emplace_back(command.noun);
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  for (auto count = std::min(words.size(), kLongestName); count > 0; --count) {
    const auto given = fmt::format("{}", fmt::join(words.first(count), " "));
    if (const auto hint = nearest(given, views)) return std::string(*hint);
  }
  return std::nullopt;
}

// The commands below as many of the first words as there are any: "keys platform" of "keys platform foo".
std::vector<const Command*> commands_near(const std::vector<Command>& commands, std::span<const std::string> words) {
  for (auto count = words.size(); count > 0; --count) {
    if (auto below = commands_below(commands, words.first(count)); !below.empty()) return below;
  }
  return {};
}

// No command has this name: the commands below it, or the nearest right name and those beside it.
int explain(const Context& context, const std::vector<Command>& commands, const std::vector<std::string>& words) {
  const auto option = std::ranges::find_if(words, [](const auto& word) { return word.starts_with('-'); });
  const std::span<const std::string> name(words.begin(), option);
  const bool help = option != words.end() && asks_for_help(*option);
  if (const auto below = commands_below(commands, name); !name.empty() && !below.empty()) {
    if (help) {
      context.print(usage_of(below));
      return kDone;
    }
    context.complain(fmt::format("{}: a verb is missing\n{}", fmt::join(name, " "), usage_of(below)));
    return kUsage;
  }
  const auto given = fmt::format("{}", fmt::join(std::span(words).first(std::min<std::size_t>(words.size(), 2)), " "));
  const auto hint = hint_for(commands, name);
  const auto near = commands_near(commands, name);
  context.complain(fmt::format("unknown command '{}'{}{}", terminal_safe(given),
                               hint ? fmt::format(" (did you mean '{}'?)", *hint) : "",
                               near.empty() ? "; sallyport help lists them" : "\n" + usage_of(near)));
  return kUsage;
}

// "--page-size" sets "/page_size" and "?page_size", NAME "/name", unless an option says otherwise.
std::map<std::string, std::string> words_of(const Command& command) {
  std::map<std::string, std::string> words;
  for (const auto positional : command.positionals) {
    const std::string name(kind_of(positional));
    std::string place = "/" + name;
    std::ranges::transform(place, place.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    words.emplace(std::move(place), name);
  }
  for (const auto& option : command.options) {
    auto place = option.place.empty() ? fmt::format("/{}", option.name) : std::string(option.place);
    std::ranges::replace(place, '-', '_');
    if (place.starts_with('/')) words.insert_or_assign("?" + place.substr(1), fmt::format("--{}", option.name));
    words.insert_or_assign(std::move(place), fmt::format("--{}", option.name));
  }
  return words;
}

int run_command(Context& context, const Command& command, std::span<const std::string> words) {
  const auto arguments = parse_arguments(command, words);
  if (!arguments) {
    context.complain(terminal_safe(arguments.error().message));
    context.complain(fmt::format("see: sallyport {} --help", name_of(command)));
    return kUsage;
  }
  if (arguments->has("help")) {
    context.print(usage_of(command));
    return kDone;
  }
  context.format = parse_format(arguments->get("output")).value_or(Format::table);
  context.relay_option = arguments->get("relay");
  context.words = words_of(command);
  return command.run(context, *arguments);
}

int run_words(Context& context, std::vector<std::string> words) {
  const auto commands = all_commands();
  if (!words.empty() && words[0] == "__complete") {
    words.erase(words.begin(), words.begin() + (words.size() > 1 && words[1] == "--" ? 2 : 1));
    context.print(to_text(complete(commands, std::move(words))));
    return kDone;
  }
  if (words.size() > 1 && words[0] == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (!words.empty() && words[0] == "--version") words[0] = "version";
  if (words.empty() || words[0] == "help" || asks_for_help(words[0])) {
    context.print(usage_of(commands_below(commands, {})));
    return words.empty() ? kUsage : kDone;
  }
  const auto [command, used] = find_command(commands, words);
  if (command == nullptr) return explain(context, commands, words);
  return run_command(context, *command, std::span<const std::string>(words).subspan(used));
}

// A reader who has seen enough (`| head`) is told nothing; an answer that was not taken whole is no success for either.
int answer_for_output(const Context& context, int code) {
  if (context.can_print()) return code;
  if (context.output_error != EPIPE)
    context.complain(fmt::format("cannot write the answer: {}", std::strerror(context.output_error)));
  return code == kDone ? kFailed : code;
}

}  // namespace

std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (auto make : {login_commands, agent_commands, recipe_commands, webhook_commands, job_commands, history_commands,
                    tunnel_commands, access_commands, audit_commands, erase_commands, key_commands, retention_commands,
                    archive_commands, system_key_commands, expression_commands, own_commands}) {
    std::ranges::move(make(), std::back_inserter(all));
  }
  return all;
}

int run(Context& context, const std::vector<std::string>& words) {
  return answer_for_output(context, run_words(context, words));
}

}  // namespace sallyport::cli
