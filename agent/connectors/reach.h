#pragma once

#include "agent/findings/finding.h"
#include "shared/base/clock.h"

#include <cstdint>
#include <string>

namespace sallyport::connectors {

// The first steps of a ConnectionTest to a server over TCP.
struct Reach {
  findings::Findings findings;  // "dns", and "tcp" when the name has addresses
  bool reached = false;         // some address took a connection, which was closed again
};

// Blocks until `deadline`, or until the system's resolver has given up.
Reach try_to_reach(const std::string& host, std::uint16_t port, SteadyTime deadline);

}  // namespace sallyport::connectors
