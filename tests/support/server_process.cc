#include "tests/support/server_process.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>

namespace sallyport::test {
namespace {

[[noreturn]] void become(const ServerProcess& process) {
  ::setpgid(0, 0);
  const int out = ::open(process.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  ::dup2(out, 1);
  ::dup2(out, 2);
  if (process.user != nullptr && ::geteuid() == 0) {
    const passwd* user = ::getpwnam(process.user);
    if (user == nullptr || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0) ::_exit(126);
  }
  ::prctl(PR_SET_PDEATHSIG, process.with_the_test);
  if (::chdir("/") != 0) ::_exit(126);
  std::vector<char*> argv;
  for (const auto& argument : process.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv.front(), argv.data());
  ::_exit(127);
}

}  // namespace

pid_t spawn(const ServerProcess& process) {
  const pid_t pid = ::fork();
  if (pid == 0) become(process);
  return pid;
}

std::string output_of(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const auto got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) text.append(buffer.data(), got);
  if (::pclose(pipe.release()) != 0) throw std::runtime_error("failed: " + command + "\n" + text);
  return text;
}

}  // namespace sallyport::test
