#include "relay/app/clock_sources.h"

#include "relay/app/boot_id.h"

#include <time.h>

#include <chrono>

namespace sallyport::app {
namespace {

using std::chrono::milliseconds;

std::optional<milliseconds> read_clock(clockid_t clock) {
  timespec at{};
  if (::clock_gettime(clock, &at) != 0) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(std::chrono::seconds(at.tv_sec) +
                                                  std::chrono::nanoseconds(at.tv_nsec));
}

}  // namespace

std::optional<domain::ClockSample> sample_clocks() {
  const auto wall = read_clock(CLOCK_REALTIME), since_boot = read_clock(CLOCK_BOOTTIME);
  if (!wall || !since_boot) return std::nullopt;
  return domain::ClockSample{.wall = WallTime(*wall), .since_boot = *since_boot, .boot = boot_id()};
}

}  // namespace sallyport::app
