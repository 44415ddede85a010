#pragma once

#include "agent/connectors/ssh/session.h"
#include "agent/platform/process.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors::ssh {

// The arguments as one line for a POSIX shell, which takes each as it is.
std::string shell_line(std::span<const std::string> argv);

struct RemoteEnd {
  int exit_code = 0;          // also where a server told none
  std::optional<int> signal;  // that ended it, by its number in POSIX; 0 for one that has none there
};

// A program on the server, in a channel of its own (RFC 4254 section 6.5): no terminal, no environment. What is not
// finished when this dies is killed, where the server does that, and its channel closed.
class RemoteProgram {
 public:
  explicit RemoteProgram(Session& session) : session_(session) {}
  ~RemoteProgram();
  RemoteProgram(const RemoteProgram&) = delete;
  RemoteProgram& operator=(const RemoteProgram&) = delete;

  // An error means that nothing was started, unless its class is "in_doubt".
  StepResult<void> start(const std::string& line, const CallLimits& limits);
  // Gives input and takes output until the program has ended.
  StepResult<RemoteEnd> finish(platform::ProcessInput& input, platform::ProcessOutput& output,
                               const CallLimits& limits);

 private:
  StepResult<bool> give(platform::ProcessInput& input);
  StepResult<bool> take(int stream, platform::ProcessOutput& output);
  StepResult<RemoteEnd> close(const CallLimits& limits);

  Session& session_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::span<const std::byte> piece_;  // of the input, not sent yet
  enum class Input { open, ended, closed } input_ = Input::open;
  bool ended_ = false;
};

}  // namespace sallyport::connectors::ssh
