#include "agent/platform/os_error.h"
#include "agent/platform/process.h"
#include "agent/platform/process_child_posix.h"
#include "agent/platform/process_keeper_posix.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

namespace sallyport::platform {
namespace {

using namespace std::chrono_literals;
constexpr auto kKeepersBound = kEndingGrace + kEndingBound + 2s;
constexpr auto kDrain = 1s;

// Watches one program: moves its output, and has its keeper end it when told to.
class Supervision {
 public:
  Supervision(Child child, ProcessInput& input, ProcessOutput& output, int stop_fd)
      : child_(std::move(child)), input_(input), output_(output), stop_fd_(stop_fd) {}
  ~Supervision() {
    if (reaped_) return;
    end_all();
    (void)reap();
  }

  // Until the program has begun.
  Result<void> await_start(const ProcessSpec& spec, SteadyTime deadline) {
    for (;;) {
      std::array<pollfd, 2> fds{pollfd{stop_fd_, POLLIN, 0}, pollfd{child_.report.get(), POLLIN, 0}};
      const int ready = ::poll(fds.data(), fds.size(), wait_ms(deadline));
      if (ready < 0 && errno != EINTR) return os_fail("waiting for a process");
      if (fds[0].revents != 0) return fail(Errc::cancelled, "stopped");
      if (fds[1].revents != 0) return read_report(child_.report, spec);
      if (std::chrono::steady_clock::now() >= deadline) return fail(Errc::timed_out, "it did not begin in time");
    }
  }

  Result<ProcessEnd> run(SteadyTime deadline) {
    auto problem = watch(deadline);
    if (!problem) end_all();
    auto end = reap();
    if (problem) problem = drain();
    if (!problem) return std::unexpected(problem.error());
    return end;
  }

 private:
  static int wait_ms(SteadyTime until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  // Until the program has ended and nothing of it is left: an error is the reason to end it.
  Result<void> watch(SteadyTime deadline) {
    for (;;) {
      std::array<pollfd, 5> fds{pollfd{child_.pidfd.get(), POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0},
                                pollfd{child_.out.get(), POLLIN, 0}, pollfd{child_.err.get(), POLLIN, 0},
                                pollfd{child_.in.get(), POLLOUT, 0}};
      const int ready = ::poll(fds.data(), fds.size(), wait_ms(deadline));
      if (ready < 0 && errno != EINTR) return os_fail("waiting for a process");
      if (fds[1].revents != 0) return fail(Errc::cancelled, "stopped");
      if (fds[2].revents != 0) SP_CHECK(move_output(child_.out, &ProcessOutput::take_stdout));
      if (fds[3].revents != 0) SP_CHECK(move_output(child_.err, &ProcessOutput::take_stderr));
      if (fds[0].revents != 0) return {};
      if (fds[4].revents != 0) SP_CHECK(move_input());
      if (std::chrono::steady_clock::now() >= deadline) return fail(Errc::timed_out, "it did not end in time");
    }
  }

  Result<void> move_input() {
    if (unread_.empty()) {
      SP_TRY(unread_, input_.next_piece());
    }
    const auto taken = unread_.empty() ? 0 : ::write(child_.in.get(), unread_.data(), unread_.size());
    if (taken > 0) {
      unread_ = unread_.subspan(static_cast<std::size_t>(taken));
    } else if (taken == 0 || (errno != EAGAIN && errno != EINTR)) {
      child_.in.reset();
    }
    return {};
  }

  using Take = Result<void> (ProcessOutput::*)(std::span<const std::byte>);
  Result<void> move_output(Fd& from, Take take) {
    std::array<std::byte, 16384> buffer;
    const auto got = ::read(from.get(), buffer.data(), buffer.size());
    if (got > 0) return (output_.*take)(std::span(buffer).first(static_cast<std::size_t>(got)));
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) from.reset();
    return {};
  }

  // What the program left in its pipes. Bounded in time: what cannot be killed may hold them open.
  Result<void> drain() {
    const auto until = std::chrono::steady_clock::now() + kDrain;
    while ((child_.out || child_.err) && std::chrono::steady_clock::now() < until) {
      std::array<pollfd, 2> fds{pollfd{child_.out.get(), POLLIN, 0}, pollfd{child_.err.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), wait_ms(until)) <= 0) break;
      if (fds[0].revents != 0) SP_CHECK(move_output(child_.out, &ProcessOutput::take_stdout));
      if (fds[1].revents != 0) SP_CHECK(move_output(child_.err, &ProcessOutput::take_stderr));
    }
    return {};
  }

  // A keeper that does not end in time was hindered: then the kernel ends it, and with it at least the program.
  void end_all() {
    ::kill(child_.keeper, SIGTERM);
    pollfd ended{child_.pidfd.get(), POLLIN, 0};
    const auto limit = std::chrono::milliseconds(kKeepersBound).count();
    if (::poll(&ended, 1, static_cast<int>(limit)) == 0) ::kill(child_.keeper, SIGKILL);
  }

  Result<ProcessEnd> reap() {
    while (::waitpid(child_.keeper, nullptr, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    KeptEnd end{};
    if (::read(child_.result.get(), &end, sizeof(end)) != sizeof(end))
      return fail(Errc::internal, "nobody could see how it ended: the process that watched it was killed");
    if (WIFSIGNALED(end.status)) return ProcessEnd{ProcessEnd::Reason::signalled, WTERMSIG(end.status)};
    return ProcessEnd{ProcessEnd::Reason::exited, WEXITSTATUS(end.status)};
  }

  Child child_;
  ProcessInput& input_;
  std::span<const std::byte> unread_;
  ProcessOutput& output_;
  int stop_fd_;
  bool reaped_ = false;
};

}  // namespace

bool is_runnable(const std::string& program) {
  std::error_code bad;
  return std::filesystem::is_regular_file(program, bad) && ::access(program.c_str(), X_OK) == 0;
}

std::expected<ProcessEnd, ProcessFailure> run_process(const ProcessSpec& spec, SteadyTime deadline,
                                                      std::stop_token stop, ProcessInput& input,
                                                      ProcessOutput& output) {
  const Fd stop_signal(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_signal) return std::unexpected(ProcessFailure{os_error(errno, "preparing to stop a process")});
  const std::stop_callback on_stop(std::move(stop), [fd = stop_signal.get()] {
    const std::uint64_t one = 1;
    (void)!::write(fd, &one, sizeof(one));
  });
  auto child = start_child(spec);
  if (!child) return std::unexpected(ProcessFailure{std::move(child).error()});
  Supervision supervision(*std::move(child), input, output, stop_signal.get());
  if (auto begun = supervision.await_start(spec, deadline); !begun)
    return std::unexpected(ProcessFailure{std::move(begun).error()});
  auto end = supervision.run(deadline);
  if (!end) return std::unexpected(ProcessFailure{std::move(end).error(), true});
  return *end;
}

}  // namespace sallyport::platform
