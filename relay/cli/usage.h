#pragma once

#include "relay/cli/arguments.h"

#include <span>
#include <string>
#include <vector>

// What the command table says in words: names, usage texts. No IO.
namespace sallyport::cli {

// "agent token create", as its words.
std::vector<std::string_view> name_words(const Command& command);
std::string name_of(const Command& command);
// Nouns and verbs may be written in singular or plural.
bool is_same_word(std::string_view declared, std::string_view given);

struct FoundCommand {
  const Command* command = nullptr;  // null: `words` begin with no command's name
  std::size_t used = 0;              // words of its name
};
FoundCommand find_command(std::span<const Command> commands, std::span<const std::string> words);
// The commands whose names begin with all of `words`: "agent token" has three.
std::vector<const Command*> commands_below(std::span<const Command> commands, std::span<const std::string> words);

std::string usage_of(const Command& command);
std::string usage_of(std::span<const Command* const> commands);

}  // namespace sallyport::cli
