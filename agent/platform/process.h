#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::platform {

// Of each single process. 0 leaves a limit as the agent has it.
struct ProcessLimits {
  std::chrono::seconds cpu{0};
  std::uint64_t memory = 0;  // address space, bytes
  std::uint64_t open_files = 0;
  std::uint64_t file_size = 0;  // of any file it writes, bytes
};

struct ProcessSpec {
  std::vector<std::string> argv;                                 // argv[0] is an absolute path; no shell ever sees it
  std::vector<std::pair<std::string, std::string>> environment;  // all of it: nothing is inherited
  std::string working_directory = "/";
  std::string user;  // empty: the agent's own. Another one needs an agent that runs as root
  ProcessLimits limits;
};

// Whether `program` is a file that this user may run.
bool is_runnable(const std::string& program);

// Gives a program its standard input. An error ends the process and is returned from run_process.
class ProcessInput {
 public:
  virtual ~ProcessInput() = default;
  // Asked when the program has read all before; valid until it is asked again. Empty: there is no more.
  virtual Result<std::span<const std::byte>> next_piece() = 0;
};

// Receives output as it comes. An error ends the process (reason output_refused) and is returned from run_process.
class ProcessOutput {
 public:
  virtual ~ProcessOutput() = default;
  virtual Result<void> take_stdout(std::span<const std::byte> bytes) = 0;
  virtual Result<void> take_stderr(std::span<const std::byte> bytes) = 0;
};

struct ProcessEnd {
  enum class Reason { exited, signalled };
  Reason reason = Reason::exited;
  int code = 0;  // exit code, or the signal
};

// `started`: the program ran, and `error` says what ended it. Otherwise it never did, and the text may name its path,
// directory and user: facts of this machine.
struct ProcessFailure {
  Error error;
  bool started = false;
};

// Runs one program in its own process group until it ends; blocks, so call it on the worker pool. At the end, at the
// deadline (Errc::timed_out), at a stop (Errc::cancelled) and when its output is refused, the program and everything
// that descends from it is ended, whatever groups and sessions it made: SIGTERM to its group, and SIGKILL to all one
// second later. What not even that ends within five seconds (it hangs in the kernel) is left. The program gets no new
// privileges (no setuid), no inherited descriptors, default signals, and dies with the agent. A program that cannot be
// started is not_found, forbidden, invalid, too_large (its arguments) or, where it may work later, unavailable.
// It costs one more process while the program runs, a copy of the agent whose memory is shared until either writes.
// A program that closes its standard input, or ends, leaves the rest of it unread; for that, SIGPIPE has to be ignored.
std::expected<ProcessEnd, ProcessFailure> run_process(const ProcessSpec& spec, SteadyTime deadline,
                                                      std::stop_token stop, ProcessInput& input, ProcessOutput& output);

}  // namespace sallyport::platform
