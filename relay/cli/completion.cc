#include "relay/cli/completion.h"

#include "relay/cli/usage.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::cli {
namespace {

constexpr std::string_view kBash =
    R"bash(# bash completion for sallyport; load it with: source <(sallyport completion bash)
_sallyport() {
  local line current=${COMP_WORDS[COMP_CWORD]}
  [ "$current" = "=" ] && current=
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o filenames 2>/dev/null
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
    else
      COMPREPLY+=("${line%%$'\t'*}")
    fi
  done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _sallyport sallyport
)bash";

constexpr std::string_view kZsh = R"zsh(#compdef sallyport
# zsh completion for sallyport; load it with: source <(sallyport completion zsh)
_sallyport() {
  local line
  local -a found shown
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      _files
    else
      found+=("${line%%$'\t'*}")
      shown+=("${line/$'\t'/  -- }")
    fi
  done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#found} )) && compadd -l -d shown -a -- found
}
if [[ ${funcstack[1]} == _sallyport ]]; then
  _sallyport "$@"
else
  (( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
  compdef _sallyport sallyport
fi
)zsh";

constexpr std::string_view kFish =
    R"fish(# fish completion for sallyport; load it with: sallyport completion fish | source
function __sallyport_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in (sallyport __complete -- $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            printf '%s\n' $line
        end
    end
end
complete -c sallyport -f -a '(__sallyport_complete)'
)fish";

// bash cuts words at "=": "--output", "=", "js".
std::vector<std::string> join_values(std::vector<std::string> words) {
  std::vector<std::string> joined;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool splits = words[i] == "=" && !joined.empty() && joined.back().starts_with("--");
    if (!splits) {
      joined.push_back(std::move(words[i]));
    } else if (i + 1 == words.size()) {
      joined.emplace_back();
    }
  }
  return joined;
}

Candidates values_of(std::string_view kind, std::string_view before_value = "") {
  Candidates candidates;
  for (const auto choice : choices_of(kind)) candidates.words.push_back({std::string(before_value).append(choice), ""});
  candidates.files = kind.starts_with("FILE") && before_value.empty();
  return candidates;
}

Candidates options_of(const Command& command, const std::vector<std::string_view>& given) {
  Candidates candidates;
  const auto offer = [&](const Option& option) {
    if (option.value.ends_with("...") || std::ranges::find(given, option.name) == given.end())
      candidates.words.push_back({fmt::format("--{}", option.name), std::string(option.help)});
  };
  std::ranges::for_each(command.options, offer);
  for (const auto& option : common_options()) {
    if (find_option(command, option.name) == &option) offer(option);
  }
  return candidates;
}

// What the words after a command's name leave open.
struct Progress {
  std::vector<std::string_view> options;  // given already
  const Option* open = nullptr;           // waits for its value
  std::size_t positionals = 0;
};

Progress progress_of(const Command& command, std::span<const std::string> words) {
  Progress progress;
  for (const auto& written : words) {
    if (progress.open != nullptr) {
      progress.open = nullptr;
      continue;
    }
    const auto word = long_form(written);
    if (!word.starts_with("--")) {
      ++progress.positionals;
      continue;
    }
    const auto equals = word.find('=');
    const auto* option = find_option(command, word.substr(2, equals == std::string_view::npos ? equals : equals - 2));
    if (option == nullptr) continue;
    progress.options.push_back(option->name);
    if (!option->value.empty() && equals == std::string_view::npos) progress.open = option;
  }
  return progress;
}

Candidates arguments_of(const Command& command, std::span<const std::string> before, std::string_view current) {
  const auto progress = progress_of(command, before);
  if (progress.open != nullptr) return values_of(progress.open->value);
  if (const auto equals = current.find('='); current.starts_with("--") && equals != std::string_view::npos) {
    const auto* option = find_option(command, current.substr(2, equals - 2));
    return option != nullptr ? values_of(option->value, current.substr(0, equals + 1)) : Candidates();
  }
  const auto& positionals = command.positionals;
  if (current.starts_with('-') || positionals.empty()) return options_of(command, progress.options);
  const bool repeats = positionals.back().find("...") != std::string_view::npos;
  if (progress.positionals >= positionals.size() && !repeats) return options_of(command, progress.options);
  return values_of(kind_of(positionals[std::min(progress.positionals, positionals.size() - 1)]));
}

// The next word of every command whose name begins with `before`.
Candidates names_after(std::span<const Command> commands, std::span<const std::string> before) {
  Candidates candidates;
  for (const auto* command : commands_below(commands, before)) {
    const auto name = name_words(*command);
    if (name.size() == before.size()) continue;
    const std::string next(name[before.size()]);
    if (std::ranges::find(candidates.words, next, &Candidate::word) != candidates.words.end()) continue;
    candidates.words.push_back({next, name.size() == before.size() + 1 ? std::string(command->help) : ""});
  }
  if (before.empty()) candidates.words.push_back({"help", "all commands"});
  return candidates;
}

}  // namespace

Candidates complete(std::span<const Command> commands, std::vector<std::string> words) {
  words = join_values(std::move(words));
  if (words.empty()) words.emplace_back();
  const std::string current = words.back();
  const auto before = std::span<const std::string>(words).first(words.size() - 1);
  const auto [command, used] = find_command(commands, before);
  auto candidates =
      command != nullptr ? arguments_of(*command, before.subspan(used), current) : names_after(commands, before);
  std::erase_if(candidates.words, [&](const Candidate& one) { return !one.word.starts_with(current); });
  return candidates;
}

std::string to_text(const Candidates& candidates) {
  std::string text;
  for (const auto& [word, help] : candidates.words) text += fmt::format("{}\t{}\n", word, help);
  if (candidates.files) text += ":files\n";
  return text;
}

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return fail(Errc::invalid, fmt::format("no completion for '{}': bash, zsh and fish are known", shell));
}

}  // namespace sallyport::cli
