#pragma once

#include <sys/types.h>
#include <cstdint>
#include <functional>
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

// SIGSTOP: when this returns, none of its threads does anything more. Throws after a minute.
void suspend(pid_t process);

// One that is killed with this.
class RunningServer {
 public:
  RunningServer(std::vector<std::string> arguments, std::string log);
  ~RunningServer();
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  // Throws with the log when it has ended before, or after a minute.
  void wait_until(const std::function<bool()>& ready);
  pid_t pid() const { return pid_; }

 private:
  std::string log_;
  pid_t pid_ = -1;
};

std::vector<pid_t> descendants_of(pid_t parent);  // processes that it began, and those that they began

bool takes_connections(std::uint16_t port);  // on 127.0.0.1

// What a shell command writes. Throws with it when the command fails.
std::string output_of(const std::string& command);

}  // namespace sallyport::test
