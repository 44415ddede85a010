#include "agent/platform/process_keeper_posix.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace sallyport::platform {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;  // clock_gettime: async-signal-safe

constexpr auto kBetweenRounds = 20ms;

class Keeper {
 public:
  Keeper(pid_t program, int result) : program_(program), result_(result) {
    ::sigemptyset(&awaited_);
    ::sigaddset(&awaited_, SIGCHLD);
    ::sigaddset(&awaited_, SIGTERM);
  }

  void await_program() {
    while (!program_ended_) {
      if (::sigwaitinfo(&awaited_, nullptr) == SIGTERM) return end_gently();
      reap();
    }
  }

  // Whoever loses its parent falls to the keeper, so killing its children is enough, round by round.
  void end_descendants() {
    for (const auto until = Steady::now() + kEndingBound; Steady::now() < until;) {
      kill_children();
      if (!reap()) return;
      await_signal(kBetweenRounds);
    }
  }

 private:
  void end_gently() {
    ::kill(-program_, SIGTERM);
    for (const auto until = Steady::now() + kEndingGrace; !program_ended_ && Steady::now() < until; reap())
      await_signal(std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now()));
  }

  void await_signal(std::chrono::milliseconds limit) {
    const timespec most{limit.count() / 1000, (limit.count() % 1000) * 1'000'000};
    ::sigtimedwait(&awaited_, nullptr, &most);
  }

  // False when no child is left.
  bool reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return pid == 0 || errno == EINTR;
      if (pid != program_) continue;
      program_ended_ = true;
      const KeptEnd end{status};
      (void)!::write(result_, &end, sizeof(end));
    }
  }

  // The kernel's own list. Nobody else reaps a child, so its number belongs to nobody else.
  void kill_children() {
    if (!program_ended_) ::kill(-program_, SIGKILL);
    const int list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0) return;
    pid_t pid = 0;
    std::array<char, 512> piece;
    for (ssize_t got = 0; (got = ::read(list, piece.data(), piece.size())) > 0;) {
      for (ssize_t i = 0; i < got; ++i) {
        const char c = piece[static_cast<std::size_t>(i)];
        if (c >= '0' && c <= '9') {
          pid = pid * 10 + (c - '0');
        } else if (pid > 0) {
          ::kill(pid, SIGKILL);
          pid = 0;
        }
      }
    }
    if (pid > 0) ::kill(pid, SIGKILL);
    ::close(list);
  }

  pid_t program_;
  int result_;
  sigset_t awaited_{};
  bool program_ended_ = false;
};

}  // namespace

bool adopt_descendants() { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0; }

void keep(pid_t program, int result) {
  Keeper keeper(program, result);
  keeper.await_program();
  keeper.end_descendants();
  ::_exit(0);
}

}  // namespace sallyport::platform
