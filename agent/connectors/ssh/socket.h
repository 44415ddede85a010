#pragma once

#include "agent/connectors/ssh/session.h"

#include <cstdint>

namespace sallyport::connectors::ssh {

// A non-blocking TCP socket to the first of the host's addresses that takes the connection. Errors: connection,
// timeout, cancelled.
StepResult<platform::Fd> connect_socket(const std::string& host, std::uint16_t port, const CallLimits& limits);

}  // namespace sallyport::connectors::ssh
