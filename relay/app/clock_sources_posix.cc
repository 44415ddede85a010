#include "relay/app/clock_sources.h"

#include "relay/app/boot_id.h"

#include <sys/timex.h>
#include <time.h>

#include <chrono>

namespace sallyport::app {
namespace {

using std::chrono::milliseconds;

constexpr long kMostError = 1'000'000;  // microseconds that the kernel may be off at most to have an opinion

std::optional<milliseconds> read_clock(clockid_t clock) {
  timespec at{};
  if (::clock_gettime(clock, &at) != 0) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(std::chrono::seconds(at.tv_sec) +
                                                  std::chrono::nanoseconds(at.tv_nsec));
}

// adjtimex(2): whoever sets the clock takes the flag back, and so does the kernel when no daemon has spoken for long.
std::optional<WallTime> kernel_opinion() {
  timex state{};
  if (::adjtimex(&state) == -1 || (state.status & STA_UNSYNC) != 0 || state.maxerror > kMostError) return std::nullopt;
  const auto fraction = (state.status & STA_NANO) != 0 ? std::chrono::nanoseconds(state.time.tv_usec)
                                                       : std::chrono::microseconds(state.time.tv_usec);
  return WallTime(std::chrono::duration_cast<milliseconds>(std::chrono::seconds(state.time.tv_sec) + fraction));
}

}  // namespace

std::optional<domain::ClockSample> sample_clocks() {
  const auto wall = read_clock(CLOCK_REALTIME), since_boot = read_clock(CLOCK_BOOTTIME);
  if (!wall || !since_boot) return std::nullopt;
  return domain::ClockSample{
      .wall = WallTime(*wall), .since_boot = *since_boot, .boot = boot_id(), .kernel = kernel_opinion()};
}

}  // namespace sallyport::app
