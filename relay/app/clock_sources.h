#pragma once

#include "relay/domain/trusted_clock.h"

#include <optional>

namespace sallyport::app {

// What this machine's clocks show now: wall clock, clock since boot, the boot's id, and the kernel's time while it says
// that NTP keeps it within a second; without an opinion of agents. Nothing: the machine has no such clocks.
std::optional<domain::ClockSample> sample_clocks();

}  // namespace sallyport::app
