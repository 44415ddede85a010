#include "relay/cli/arguments.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sallyport::cli {
namespace {

// Options that every command takes.
const std::vector<Option> kCommon{
    {"output", "table|json|yaml", "how to print (also -o)"},
    {"relay", "URL", "the relay's address (default: SALLYPORT_RELAY or the login)"},
    {"help", "", "what this command does"},
};

const Option* find_option(const Command& command, std::string_view name) {
  for (const auto* set : {&command.options, &kCommon}) {
    const auto it = std::ranges::find(*set, name, &Option::name);
    if (it != set->end()) return &*it;
  }
  return nullptr;
}

std::unexpected<Error> unknown_option(const Command& command, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto* set : {&command.options, &kCommon}) {
    std::ranges::transform(*set, std::back_inserter(names), &Option::name);
  }
  const auto hint = nearest(name, names);
  return fail(Errc::invalid,
              fmt::format("unknown option --{}{}", name, hint ? fmt::format(" (did you mean --{}?)", *hint) : ""));
}

std::size_t required_count(const Command& command) {
  return static_cast<std::size_t>(
      std::ranges::count_if(command.positionals, [](std::string_view p) { return !p.starts_with('['); }));
}

bool repeats(const Command& command) {
  return !command.positionals.empty() && command.positionals.back().find("...") != std::string_view::npos;
}

std::string words_of(std::span<const Command> commands, std::string_view noun) {
  std::set<std::string_view> words;
  for (const auto& command : commands) {
    if (noun.empty()) {
      words.insert(command.noun);
    } else if (command.noun == noun && !command.verb.empty()) {
      words.insert(command.verb);
    }
  }
  return fmt::format("{}", fmt::join(words, " "));
}

std::set<std::string_view> nouns_of(std::span<const Command> commands) {
  std::set<std::string_view> nouns;
  for (const auto& command : commands) nouns.insert(command.noun);
  return nouns;
}

std::string bash_completion(std::span<const Command> commands) {
  std::string cases;
  for (auto noun : nouns_of(commands)) {
    if (const auto verbs = words_of(commands, noun); !verbs.empty()) {
      cases += fmt::format("    {}) words=\"{}\" ;;\n", noun, verbs);
    }
  }
  return fmt::format(
      "_sallyport() {{\n  local words=\"\"\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"{}\"\n"
      "  elif [ \"$COMP_CWORD\" -eq 2 ]; then\n    case \"${{COMP_WORDS[1]}}\" in\n{}    esac\n  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\ncomplete -o default -F "
      "_sallyport sallyport\n",
      words_of(commands, ""), cases);
}

std::string fish_completion(std::span<const Command> commands) {
  std::string out = "complete -c sallyport -f\n";
  for (auto noun : nouns_of(commands)) {
    out += fmt::format("complete -c sallyport -n __fish_use_subcommand -a {}\n", noun);
  }
  for (const auto& command : commands) {
    if (command.verb.empty()) continue;
    out += fmt::format("complete -c sallyport -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n", command.noun,
                       command.verb, command.help);
  }
  return out;
}

}  // namespace

Result<Arguments> parse_arguments(const Command& command, std::span<const std::string> words) {
  Arguments parsed;
  bool only_positionals = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "-o") word = "--output";
    if (word == "-f") word = "--file";
    if (only_positionals || !word.starts_with("--")) {
      parsed.positionals_.emplace_back(word);
      continue;
    }
    if (word == "--") {
      only_positionals = true;
      continue;
    }
    word.remove_prefix(2);
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    const Option* option = find_option(command, name);
    if (option == nullptr) return unknown_option(command, name);
    if (option->value.empty()) {
      if (equals != std::string_view::npos) return fail(Errc::invalid, fmt::format("--{} takes no value", name));
      parsed.options_[std::string(name)] = "";
    } else if (equals != std::string_view::npos) {
      parsed.options_[std::string(name)] = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      parsed.options_[std::string(name)] = words[++i];
    } else {
      return fail(Errc::invalid, fmt::format("--{} needs {}", name, option->value));
    }
  }
  if (parsed.has("help")) return parsed;
  if (parsed.count() < required_count(command)) {
    return fail(Errc::invalid, fmt::format("{} is missing", command.positionals[parsed.count()]));
  }
  if (parsed.count() > command.positionals.size() && !repeats(command)) {
    return fail(Errc::invalid, fmt::format("unexpected word '{}'", parsed.positionals_.back()));
  }
  return parsed;
}

std::string usage_of(const Command& command) {
  std::string line = fmt::format("sallyport {}", command.noun);
  if (!command.verb.empty()) line += fmt::format(" {}", command.verb);
  for (auto positional : command.positionals) line += fmt::format(" {}", positional);
  std::string out = fmt::format("usage: {} [options]\n\n{}\n\noptions:\n", line, command.help);
  for (const auto* set : {&command.options, &kCommon}) {
    for (const auto& option : *set) {
      out += fmt::format("  {:<28} {}\n", fmt::format("--{} {}", option.name, option.value), option.help);
    }
  }
  return out;
}

std::string usage_of(std::span<const Command> commands) {
  std::string out = "usage: sallyport NOUN VERB [arguments] [options]\n\n";
  for (const auto& command : commands) {
    std::string words = fmt::format("{} {}", command.noun, command.verb);
    for (auto positional : command.positionals) words += fmt::format(" {}", positional);
    out += fmt::format("  {:<44} {}\n", words, command.help);
  }
  return out +
         "\nEvery command takes --help and -o table|json|yaml. Exit codes: 0 done, 1 failed, 2 wrong usage, "
         "3 not found, 4 not allowed, 5 relay not reachable.\n";
}

Result<std::string> completion_script(std::string_view shell, std::span<const Command> commands) {
  if (shell == "bash") return bash_completion(commands);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + bash_completion(commands);
  if (shell == "fish") return fish_completion(commands);
  return fail(Errc::invalid, fmt::format("no completion for '{}': bash, zsh and fish are known", shell));
}

}  // namespace sallyport::cli
