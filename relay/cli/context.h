#pragma once

#include "relay/cli/arguments.h"
#include "relay/cli/client.h"
#include "relay/cli/output.h"

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::cli {

// Exit codes; scripts depend on them.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kNotFound = 3, kNotAllowed = 4, kUnreachable = 5 };

// What a command sees of the process: streams, environment, the login. Handed in, so that tests can replace it.
struct Context {
  std::FILE* in = stdin;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  Format format = Format::table;
  std::string relay_option;  // --relay

  void print(std::string_view text) const;
  void complain(std::string_view text) const;  // "sallyport: ..." on err
  int fail_with(const Error& error) const;     // complains and gives the exit code
  // JSON or YAML as asked for; else the table or card that `text` makes.
  void show(const Value& value, std::string_view text) const;
};

Result<std::string> read_all(std::FILE* file, std::size_t limit);
Result<std::string> read_file(const std::string& path, std::size_t limit);  // "-" is standard input

}  // namespace sallyport::cli
