#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/step_error.h"
#include "agent/platform/fd.h"

#include <cstdint>
#include <stop_token>
#include <string>
#include <thread>

namespace sallyport::connectors {

// A connected, non-blocking TCP socket for a library that speaks the protocol: by whichever of the host's addresses
// answers first, with probes to a peer that is silent for 30 s. Blocks until the limits, or until the system's resolver
// has given up. Classes: connection (also when the deadline passed), cancelled; the text names host and port.
StepResult<platform::Fd> dial(const std::string& host, std::uint16_t port, const CallLimits& limits);

// While it lives, the deadline and a stop end whatever waits for the connection of a borrowed socket, in any thread;
// the socket stays open. For calls of libraries that know no limits of their own; takes a thread.
class CutAtLimits {
 public:
  CutAtLimits(int socket, const CallLimits& limits);

 private:
  struct Cut {
    int socket;
    void operator()() const;
  };
  std::stop_callback<Cut> at_stop_;
  std::jthread at_deadline_;
};

}  // namespace sallyport::connectors
