#pragma once

#include "agent/policy/refusal.h"
#include "shared/base/value.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::policy {

// What a recipe may put in place of `{name}`. A text that is not in `one_of` (when given), is longer than `max_length`
// characters, or has a character outside `characters` is refused; so is NUL, always.
struct CommandParameter {
  enum class Class : unsigned { letters = 1, digits = 2, space = 4, any = 8 };
  std::vector<std::string> one_of;
  std::size_t max_length = 256;
  unsigned classes = 3;      // a set of Class: letters and digits are ASCII's, `any` is every printable character
  std::string also = "._-";  // further single characters
  bool may_start_with_dash = false;  // or the value could be read as an option
};

struct CommandLimits {
  std::chrono::milliseconds run_time = std::chrono::minutes(5);
  std::chrono::seconds cpu_time{0};
  std::uint64_t memory = 0;
  std::uint64_t open_files = 256;
  std::uint64_t file_size = 0;
  std::uint64_t output = 64ULL << 20;  // standard output and error together
};

// One program the operator lets recipes run. argv[0] is absolute and has no placeholder; every placeholder is declared.
struct CommandTemplate {
  std::string name;
  std::vector<std::string> argv;
  std::map<std::string, CommandParameter, std::less<>> parameters;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> recipe_environment;  // further variables, which a recipe may set
  std::string working_directory = "/";
  std::string user;
  CommandLimits limits;
  std::string rule;  // "policy.yaml:30 commands.count-lines"
};

// The arguments with every placeholder replaced by its parameter. `parameters` is a map of texts, integers, booleans;
// missing, undeclared and unsuitable ones are refused by name, without their value.
Verdict<std::vector<std::string>> fill_template(const CommandTemplate& command, const Value& parameters);

// The operator's environment, and what the recipe adds to it: a map of texts, integers, booleans by name. A variable
// that the template does not list is refused, and so is NUL and what is longer than 32 KiB; never with a value.
Verdict<std::vector<std::pair<std::string, std::string>>> fill_environment(const CommandTemplate& command,
                                                                           const Value& given);

// "PATH", "ERP_TOKEN": letters, digits and `_`, not beginning with a digit.
bool is_variable_name(std::string_view name);

// The names between braces in `argument`, in order; "{{" and "}}" stand for single braces. Nullopt when unbalanced.
std::optional<std::vector<std::string>> placeholders_of(std::string_view argument);

}  // namespace sallyport::policy
