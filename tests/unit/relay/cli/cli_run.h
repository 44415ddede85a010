#pragma once

#include "relay/cli/commands.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sallyport::test {

struct Ran {
  int code = 0;
  std::string out, err;
};

// How the program's surroundings differ from an empty environment and an empty standard input.
struct Surroundings {
  std::string in;
  std::map<std::string, std::string> environment;
  std::function<void(cli::Context&)> tune;
};

// The whole program behind main(), with its streams in memory.
Ran run_cli(const std::vector<std::string>& words, const Surroundings& around = {});

}  // namespace sallyport::test
