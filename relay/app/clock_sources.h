#pragma once

#include "relay/domain/trusted_clock.h"

#include <optional>

namespace sallyport::app {

// What this machine's clocks show now: wall clock, clock since boot and the boot's id; without an opinion of agents.
// Nothing: the machine has no such clocks.
std::optional<domain::ClockSample> sample_clocks();

}  // namespace sallyport::app
