#include "agent/platform/companion.h"

#include "agent/platform/os_error.h"
#include "agent/platform/process.h"
#include "agent/platform/socket_wait.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace sallyport::platform {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLongestEnd(5);
constexpr std::chrono::milliseconds kPause(2);

// What the program has of the agent: the socket as standard input, nothing as output, and no other file or signal mask.
class Belongings {
 public:
  explicit Belongings(int socket) {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawn_file_actions_adddup2(&files_, socket, STDIN_FILENO);
    ::posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes_);
    sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~Belongings() {
    ::posix_spawn_file_actions_destroy(&files_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Belongings(const Belongings&) = delete;
  Belongings& operator=(const Belongings&) = delete;

  int spawn(pid_t& pid, std::string program) const {
    std::array<char*, 2> words{program.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    return ::posix_spawn(&pid, program.c_str(), &files_, &attributes_, words.data(), environment.data());
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

// Killed, and gone from the table of processes; what hangs in the kernel for longer is left. Where there is no file of
// the process (an old kernel, no more files) it is asked for again and again.
void end(pid_t pid) {
  const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ::kill(-pid, SIGKILL);
  const auto deadline = Clock::now() + kLongestEnd;
  while (ended && Clock::now() < deadline &&
         wait_for_socket(ended.get(), SocketNeed::reading, deadline - Clock::now()) == SocketState::not_yet) {
  }
  while (::waitpid(pid, nullptr, WNOHANG) == 0 && Clock::now() < deadline) std::this_thread::sleep_for(kPause);
}

bool is_transient(int code) { return code == EAGAIN || code == EINTR; }

std::unexpected<Error> gone() { return fail(Errc::unavailable, "the program has ended"); }

}  // namespace

Result<Companion> Companion::start(const std::string& program) {
  if (program.empty() || !is_runnable(program)) return fail(Errc::not_found, "there is no such program");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return os_fail("making a socket");
  Fd here(ends[0]);
  const Fd there(ends[1]);
  if (::fcntl(here.get(), F_SETFL, O_NONBLOCK) != 0) return os_fail("making a socket");
  pid_t pid = -1;
  if (const int code = Belongings(there.get()).spawn(pid, program); code != 0)
    return os_fail(code, "starting " + std::filesystem::path(program).filename().string());
  return Companion(pid, std::move(here));
}

Companion::Companion(Companion&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}

Companion::~Companion() {
  if (pid_ > 0) end(pid_);
}

Result<void> Companion::wait(Way way, SteadyTime deadline, const std::stop_token& stop) const {
  const std::stop_callback wakes(stop, [this] { shut_down_socket(socket_.get()); });
  for (;;) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
    const auto left = deadline - Clock::now();
    if (left <= left.zero()) return fail(Errc::timed_out, "the time is up");
    const auto need = way == Way::in ? SocketNeed::reading : SocketNeed::writing;
    switch (wait_for_socket(socket_.get(), need, left)) {
      case SocketState::failed: return gone();
      case SocketState::not_yet: continue;
      case SocketState::ready: break;
    }
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
    return {};
  }
}

Result<void> Companion::send(std::span<const std::byte> bytes, SteadyTime deadline, const std::stop_token& stop) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    if (!is_transient(errno)) return gone();
    SP_CHECK(wait(Way::out, deadline, stop));
  }
  return {};
}

Result<void> Companion::receive(std::span<std::byte> into, SteadyTime deadline, const std::stop_token& stop) {
  while (!into.empty()) {
    const auto got = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (got == 0) return stop.stop_requested() ? fail(Errc::cancelled, "stopped") : gone();
    if (got > 0) {
      into = into.subspan(static_cast<std::size_t>(got));
      continue;
    }
    if (!is_transient(errno)) return gone();
    SP_CHECK(wait(Way::in, deadline, stop));
  }
  return {};
}

std::string find_companion(const std::string& name) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return {};
  auto program = (self.parent_path() / name).string();
  return is_runnable(program) ? program : std::string();
}

}  // namespace sallyport::platform
