#pragma once

#include "shared/base/result.h"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::cli {

// One option of a command: `--group NAME`, or a flag when `value` is empty.
struct Option {
  std::string_view name;   // "group", without the dashes
  std::string_view value;  // "NAME"; empty: a flag
  std::string_view help;
};

// The words that followed a command, checked against its declaration.
class Arguments {
 public:
  std::string_view positional(std::size_t index) const {
    return index < positionals_.size() ? std::string_view(positionals_[index]) : std::string_view();
  }
  std::size_t count() const { return positionals_.size(); }
  bool has(std::string_view option) const { return options_.contains(std::string(option)); }
  std::string get(std::string_view option, std::string_view otherwise = "") const {
    const auto it = options_.find(std::string(option));
    return it == options_.end() ? std::string(otherwise) : it->second;
  }

 private:
  friend Result<Arguments> parse_arguments(const struct Command& command, std::span<const std::string> words);
  std::vector<std::string> positionals_;
  std::map<std::string, std::string> options_;
};

struct Context;

// A command is noun and verb: `sallyport jobs watch JOB`. `positionals` ends in "..." when the last may repeat, and is
// written in brackets when it may be absent.
struct Command {
  std::string_view noun;
  std::string_view verb;
  std::vector<std::string_view> positionals;
  std::vector<Option> options;
  std::string_view help;
  std::function<int(Context&, const Arguments&)> run;
};

// Errors name the offending word and the nearest right one.
Result<Arguments> parse_arguments(const Command& command, std::span<const std::string> words);

std::string usage_of(const Command& command);
std::string usage_of(std::span<const Command> commands);

// A completion script for "bash", "zsh" or "fish", made from the command table.
Result<std::string> completion_script(std::string_view shell, std::span<const Command> commands);

}  // namespace sallyport::cli
