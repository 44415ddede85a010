#include "agent/platform/os_error.h"
#include "agent/platform/process.h"
#include "agent/platform/process_child_posix.h"

#include <fmt/format.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace sallyport::platform {
namespace {

using namespace std::chrono_literals;
constexpr auto kGrace = 1s;
constexpr auto kDrain = 1s;

// Watches one child: moves its output, and ends its group when told to.
class Supervision {
 public:
  Supervision(Child child, ProcessOutput& output, int stop_fd)
      : child_(std::move(child)), output_(output), stop_fd_(stop_fd) {}
  ~Supervision() {
    if (!reaped_) (void)reap();
  }

  Result<ProcessEnd> run(SteadyTime deadline) {
    auto problem = watch(deadline);
    if (!problem) end_group();
    const auto end = reap();
    if (problem) problem = drain();
    if (!problem) return std::unexpected(problem.error());
    return end;
  }

 private:
  static int wait_ms(SteadyTime until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  // Until the program has ended: an error is the reason to end it.
  Result<void> watch(SteadyTime deadline) {
    for (;;) {
      std::array<pollfd, 4> fds{pollfd{child_.pidfd.get(), POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0},
                                pollfd{child_.out.get(), POLLIN, 0}, pollfd{child_.err.get(), POLLIN, 0}};
      const int ready = ::poll(fds.data(), fds.size(), wait_ms(deadline));
      if (ready < 0 && errno != EINTR) return os_fail("waiting for a process");
      if (fds[1].revents != 0) return fail(Errc::cancelled, "stopped");
      if (fds[2].revents != 0) SP_CHECK(move_output(child_.out, &ProcessOutput::take_stdout));
      if (fds[3].revents != 0) SP_CHECK(move_output(child_.err, &ProcessOutput::take_stderr));
      if (fds[0].revents != 0) return {};
      if (std::chrono::steady_clock::now() >= deadline) return fail(Errc::timed_out, "it did not end in time");
    }
  }

  using Take = Result<void> (ProcessOutput::*)(std::span<const std::byte>);
  Result<void> move_output(Fd& from, Take take) {
    std::array<std::byte, 16384> buffer;
    const auto got = ::read(from.get(), buffer.data(), buffer.size());
    if (got > 0) return (output_.*take)(std::span(buffer).first(static_cast<std::size_t>(got)));
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) from.reset();
    return {};
  }

  // What the program left in its pipes. A child of its own that escaped the group may hold them open: bounded in time.
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

  void end_group() {
    ::kill(-child_.pid, SIGTERM);
    pollfd ended{child_.pidfd.get(), POLLIN, 0};
    (void)::poll(&ended, 1, static_cast<int>(std::chrono::milliseconds(kGrace).count()));
  }

  // The group is killed while its leader is not yet reaped, so that the group's number cannot belong to anybody else.
  ProcessEnd reap() {
    ::kill(-child_.pid, SIGKILL);
    int status = 0;
    while (::waitpid(child_.pid, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    if (WIFSIGNALED(status)) return ProcessEnd{ProcessEnd::Reason::signalled, WTERMSIG(status)};
    return ProcessEnd{ProcessEnd::Reason::exited, WEXITSTATUS(status)};
  }

  Child child_;
  ProcessOutput& output_;
  int stop_fd_;
  bool reaped_ = false;
};

}  // namespace

Result<ProcessEnd> run_process(const ProcessSpec& spec, SteadyTime deadline, std::stop_token stop,
                               ProcessOutput& output) {
  const Fd stop_signal(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_signal) return os_fail("preparing to stop a process");
  const std::stop_callback on_stop(std::move(stop), [fd = stop_signal.get()] {
    const std::uint64_t one = 1;
    (void)!::write(fd, &one, sizeof(one));
  });
  SP_TRY(auto child, start_child(spec));
  Supervision supervision(std::move(child), output, stop_signal.get());
  auto end = supervision.run(deadline);
  if (!end) return in_context("running " + spec.argv.front(), std::move(end).error());
  return end;
}

}  // namespace sallyport::platform
