#include "tests/support/server_process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

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
  ::execvp(argv.front(), argv.data());
  ::_exit(127);
}

// Each of its threads is stopped, or it has ended.
bool stands_still(pid_t process) {
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
    std::ifstream in(thread.path() / "stat");
    const std::string stat(std::istreambuf_iterator<char>(in), {});
    const auto name_end = stat.rfind(')');
    if (name_end != std::string::npos && std::string_view("TtZX").find(stat.at(name_end + 2)) == std::string_view::npos)
      return false;
  }
  return true;
}

}  // namespace

pid_t spawn(const ServerProcess& process) {
  const pid_t pid = ::fork();
  if (pid == 0) become(process);
  return pid;
}

void suspend(pid_t process) {
  ::kill(process, SIGSTOP);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!stands_still(process)) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("a process does not stop");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

RunningServer::RunningServer(std::vector<std::string> arguments, std::string log)
    : log_(log), pid_(spawn({std::move(arguments), std::move(log), nullptr, SIGKILL})) {}

RunningServer::~RunningServer() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void RunningServer::wait_until(const std::function<bool()>& ready) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!ready()) {
    const bool ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (ended) pid_ = -1;
    if (ended || std::chrono::steady_clock::now() > deadline) {
      std::ifstream in(log_);
      throw std::runtime_error("a server did not start:\n" + std::string(std::istreambuf_iterator<char>(in), {}));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::vector<pid_t> descendants_of(pid_t parent) {
  std::vector<pid_t> all;
  std::ifstream list("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  for (pid_t child = 0; list >> child;) {
    all.push_back(child);
    const auto more = descendants_of(child);
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

bool takes_connections(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool taken = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return taken;
}

std::string output_of(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(("{ " + command + "; } 2>&1").c_str(), "r"), ::pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const auto got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) text.append(buffer.data(), got);
  if (::pclose(pipe.release()) != 0) throw std::runtime_error("failed: " + command + "\n" + text);
  return text;
}

}  // namespace sallyport::test
