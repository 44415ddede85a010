#pragma once

#include "agent/platform/fd.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <span>
#include <stop_token>
#include <string>

namespace sallyport::platform {

// A program of ours beside the agent, for a library that is not to be in it. It has one socket, as its standard input,
// and nothing else of the agent's: no environment, no other file, no words but its name. It is expected to end when
// the socket does; killed when this dies. One thread at a time.
class Companion {
 public:
  // Errors: not_found (no such program), unavailable.
  static Result<Companion> start(const std::string& program);
  Companion(Companion&& other) noexcept;
  Companion& operator=(Companion&&) = delete;
  ~Companion();

  // All of the bytes. Errors: timed_out, cancelled, unavailable (it has ended). After one no more is of use.
  Result<void> send(std::span<const std::byte> bytes, SteadyTime deadline, const std::stop_token& stop);
  Result<void> receive(std::span<std::byte> into, SteadyTime deadline, const std::stop_token& stop);

 private:
  Companion(int pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}
  enum class Way { out, in };
  Result<void> wait(Way way, SteadyTime deadline, const std::stop_token& stop) const;

  int pid_;
  Fd socket_;
};

// A program in the folder of this one, where a build and a package have it, or "" when there is none.
std::string find_companion(const std::string& name);

}  // namespace sallyport::platform
