#pragma once

#include "shared/base/result.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::cli {

enum class Need { optional, required };

// One option of a command: `--group NAME`, or a flag when `value` is empty. The value's name tells what it may be, and
// checks and completion go by it: "N" a whole number from 1, "0..9" one from 0 to 9, "a|b|c" one of these words,
// "FILE" or "FILE.json" a path, "TIME" an instant (RFC 3339), "DURATION" such as 30m, "URL" a relay's address; under
// any other name it is any text.
struct Option {
  std::string_view name;   // "group", without the dashes
  std::string_view value;  // "NAME"; empty: a flag; ends in "..." when the option may repeat
  std::string_view help;
  Need need = Need::optional;
  std::string_view place = {};  // of what it sets in the API's body, where that is not "/name": "/limits/connections"
};

// "--group GROUP", or "--confirm" of an option without a value.
std::string written(const Option& option);

// The words that followed a command, checked against its declaration.
class Arguments {
 public:
  using Options = std::map<std::string, std::vector<std::string>, std::less<>>;  // the values, as given
  Arguments() = default;
  Arguments(std::vector<std::string> positionals, Options options)
      : positionals_(std::move(positionals)), options_(std::move(options)) {}

  std::string_view positional(std::size_t index) const {
    return index < positionals_.size() ? std::string_view(positionals_[index]) : std::string_view();
  }
  std::span<const std::string> positionals() const { return positionals_; }
  std::size_t count() const { return positionals_.size(); }
  bool has(std::string_view option) const { return options_.contains(option); }
  std::string get(std::string_view option, std::string_view otherwise = "") const {
    const auto it = options_.find(option);
    return it == options_.end() ? std::string(otherwise) : it->second.back();
  }
  // Of an option that may repeat.
  std::span<const std::string> all(std::string_view option) const {
    const auto it = options_.find(option);
    return it == options_.end() ? std::span<const std::string>() : it->second;
  }
  std::optional<std::int64_t> number(std::string_view option) const;  // of an option declared as "N" or "0..9"

 private:
  std::vector<std::string> positionals_;
  Options options_;
};

struct Context;

// A command is noun and verb: `sallyport jobs watch JOB`. A verb may be two words ("token create"). `positionals` ends
// in "..." when the last may repeat, and is written in brackets when it may be absent; their names tell what they may
// be, as an option's value does.
struct Command {
  std::string_view noun;
  std::string_view verb;
  std::vector<std::string_view> positionals;
  std::vector<Option> options;
  std::string_view help;
  std::function<int(Context&, const Arguments&)> run;
  // What one option alone cannot tell: words that need or exclude each other. Its errors are wrong usage.
  std::function<Result<void>(const Arguments&)> check = {};
  std::string_view details = {};  // lines for the command's own --help only
};

// Options that every command takes.
std::span<const Option> common_options();
// The option of that name of the command, its own before the common ones; null: there is none.
const Option* find_option(const Command& command, std::string_view name);
// "-o" is "--output": the long form of a short option, or the word itself.
std::string_view long_form(std::string_view word);
// "[FILE]" -> "FILE", "NAME..." -> "NAME".
std::string_view kind_of(std::string_view positional);
// "a|b|c" as its words; empty when the value is no choice.
std::vector<std::string_view> choices_of(std::string_view kind);

// Everything that can be known to be wrong without asking anybody. Errors name the offending word and the nearest right
// one. With --help among the words nothing else is checked.
Result<Arguments> parse_arguments(const Command& command, std::span<const std::string> words);

}  // namespace sallyport::cli
