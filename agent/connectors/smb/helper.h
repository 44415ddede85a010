#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/smb/wire/messages.h"
#include "agent/connectors/step_error.h"
#include "agent/platform/companion.h"

#include <chrono>
#include <string>
#include <vector>

namespace sallyport::connectors::smb {

// The program sallyport-smb, one for each session: asks it one thing at a time, and believes nothing that it answers
// but its form. What it makes of a server's bytes stays in it. After an error of class connection, timeout, cancelled
// or internal it is not usable any more, and killed when this dies.
class Helper {
 public:
  // Errors: connection, when there is no such program or it cannot be started.
  static StepResult<Helper> start(const std::string& program, std::chrono::milliseconds patience);

  // The answer, or why there is none; `Failed` comes as its error (trouble_error()). Within the limits, and, but for
  // `Open` and `List`, within the patience with servers, which is class "connection".
  StepResult<wire::Answer> ask(const wire::Request& request, const CallLimits& limits);
  StepResult<wire::Answer> next(const CallLimits& limits);  // of the answers to `List`
  template <class Wanted>
  StepResult<Wanted> ask_for(const wire::Request& request, const CallLimits& limits) {
    SP_TRY(auto answer, ask(request, limits));
    if (auto* wanted = std::get_if<Wanted>(&answer)) return std::move(*wanted);
    return nonsense();
  }

  bool is_usable() const { return usable_; }
  void give_up() { usable_ = false; }
  std::unexpected<StepError> nonsense();  // the answer is none to what was asked

 private:
  Helper(platform::Companion program, std::chrono::milliseconds patience)
      : program_(std::move(program)), patience_(patience) {}
  StepResult<wire::Answer> receive(SteadyTime until, const CallLimits& limits);
  std::unexpected<StepError> broken(const Error& error, const CallLimits& limits);

  platform::Companion program_;
  std::chrono::milliseconds patience_;
  bool usable_ = true;
  std::vector<std::byte> sent_, received_;
};

// `why.number` is an errno.
StepError trouble_error(const wire::Failed& why);

// Where the program is: beside this one. Errors: not_found, with what to install.
Result<std::string> find_helper();

}  // namespace sallyport::connectors::smb
