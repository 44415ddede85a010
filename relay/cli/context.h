#pragma once

#include "relay/cli/arguments.h"
#include "relay/cli/client.h"
#include "relay/cli/output.h"
#include "relay/cli/patience.h"
#include "shared/base/clock.h"

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::cli {

// Exit codes; scripts depend on them.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kNotFound = 3, kNotAllowed = 4, kUnreachable = 5 };

// What a command sees of the process: streams, environment, time. Handed in, so that tests can replace it.
struct Context {
  std::FILE* in = stdin;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  Format format = Format::table;
  std::string relay_option;  // --relay
  std::map<std::string, std::string>
      words;  // what the command calls a place of the API's body: "/networks" is "--from"
  std::function<std::string(const char*)> environment;  // "" when the variable is not set

  std::shared_ptr<const Clock> clock = std::make_shared<const SystemClock>();
  std::function<void(std::chrono::milliseconds)> pause;  // blocks for so long
  std::chrono::milliseconds silence{45'000};  // a live view without a byte is lost; the relay beats every 15 s
  PatienceTimes patience;                     // with a relay that is away while something is followed

  // Why standard output takes no more: the first errno that a write to it gave; 0 while all was written.
  mutable int output_error = 0;

  Context();  // the real process
  // Writes all of it at once. After a failed write nothing more is written: whoever goes on for long asks can_print();
  // run() turns a lost output into a failure.
  void print(std::string_view text) const;
  bool can_print() const { return output_error == 0; }
  void complain(std::string_view text) const;  // "sallyport: ..." on err, made safe for a terminal line by line
  // Complains, about the command's own words where the relay names places of the body, and gives the exit code.
  int fail_with(const Error& error) const;
  // JSON or YAML as asked for; else the table or card that `text` makes.
  void show(const Value& value, std::string_view text) const;
  // One of many: a line of JSON, a YAML document, or `text`.
  void show_line(const Value& value, std::string_view text) const;
};

Result<std::string> read_all(std::FILE* file, std::size_t limit);
Result<std::string> read_file(const std::string& path, std::size_t limit);
// A file that a person named; "-" is standard input.
Result<std::string> read_input(const Context& context, const std::string& path, std::size_t limit);

}  // namespace sallyport::cli
