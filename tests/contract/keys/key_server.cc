#include "tests/contract/keys/key_server.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace sallyport::test {
namespace {

// Debian's Python has Debian's python3-cryptography.
pid_t spawn(const std::string& script, const std::string& dir, const std::string& port) {
  const auto path = "tests/support/" + script;
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = ::open((dir + "/server.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::execl("/usr/bin/python3", "python3", path.c_str(), dir.c_str(), "--port", port.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

KeyServer::KeyServer(std::string script) : script_(std::move(script)) {
  ::setenv("no_proxy", "127.0.0.1", 1);  // whatever the shell has
  start();
}

KeyServer::~KeyServer() {
  if (pid_ > 0) stop();
}

void KeyServer::control(std::string_view json) const {
  const auto fresh = dir_.write("control.new", json);
  std::filesystem::rename(fresh, dir_.path("control.json"));
}

void KeyServer::stop() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void KeyServer::start() {
  std::filesystem::remove(dir_.path("port"));
  pid_ = spawn(script_, dir_.path(), port_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!dir_.has("port")) {
    const bool ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (ended || std::chrono::steady_clock::now() > deadline) {
      pid_ = ended ? -1 : pid_;
      throw std::runtime_error(script_ + " did not start:\n" + dir_.read("server.log"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  port_ = dir_.read("port");
}

}  // namespace sallyport::test
