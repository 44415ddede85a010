#pragma once

#include "agent/platform/boot_clock.h"
#include "shared/base/clock.h"

#include <chrono>
#include <optional>
#include <string_view>

namespace sallyport::agent {

inline constexpr std::string_view kClock = "clock";  // a capability (docs/protocol.md P17)

// This machine's wall clock, as far as it is a second opinion for the relay: it says nothing for a day after it was
// set, for whoever forged the time of the relay may have forged this one with it. What it was set to before this
// process began it cannot know. Ask it every few minutes. Single executor.
class OwnClock {
 public:
  OwnClock(const Clock& clock, const platform::BootClock& boot) : clock_(clock), boot_(boot) {}

  std::optional<WallTime> tell();

 private:
  struct Mark {
    WallTime wall;
    platform::BootTime at;
  };

  const Clock& clock_;
  const platform::BootClock& boot_;
  std::optional<Mark> mark_;                        // from which it has gone as time does; not older than a day
  std::optional<platform::BootTime> silent_until_;  // it was set
};

}  // namespace sallyport::agent
