#include "agent/platform/boot_clock.h"

#include <ctime>

namespace sallyport::platform {

// Linux: CLOCK_MONOTONIC, which steady_clock reads, does not count suspend; CLOCK_BOOTTIME does.
BootTime SystemBootClock::now() const {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);  // fails only for a bad address or a clock that does not exist
  return BootTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace sallyport::platform
