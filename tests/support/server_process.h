#pragma once

#include <sys/types.h>
#include <string>
#include <vector>

namespace sallyport::test {

// A server as a process of a group of its own, its output in `log`: run as `user` when the test is root, and killed
// with `with_the_test` when that ends.
struct ServerProcess {
  std::vector<std::string> arguments;
  std::string log;
  const char* user;  // nullptr: whoever the test is
  int with_the_test;
};
pid_t spawn(const ServerProcess& process);

// What a shell command writes. Throws when it fails.
std::string output_of(const std::string& command);

}  // namespace sallyport::test
