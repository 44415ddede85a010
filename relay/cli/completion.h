#pragma once

#include "relay/cli/arguments.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Completion of half-written command lines. The shells' scripts are a few lines: at each Tab they ask the program
// itself (`sallyport __complete -- WORDS...`), so that nothing of the command table has to be quoted for a shell.
namespace sallyport::cli {

struct Candidate {
  std::string word;
  std::string help;
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

struct Candidates {
  std::vector<Candidate> words;
  bool files = false;  // paths fit here too; the shell knows them
};

// What may stand for the last of `words` (the program's name is not among them; the last may be empty). Word by word:
// nouns, verbs, then positionals, options and their values.
Candidates complete(std::span<const Command> commands, std::vector<std::string> words);

// A line each: the word, a tab, its help. A line ":files" says that paths fit.
std::string to_text(const Candidates& candidates);

// For "bash", "zsh" or "fish".
Result<std::string> completion_script(std::string_view shell);

}  // namespace sallyport::cli
