#pragma once

#include <chrono>

namespace sallyport::platform {

// A clock that counts up evenly from some moment, and goes on while this machine sleeps, when std::chrono::steady_clock
// and the timers that use it stand still. For what another machine measures at the same time, such as the lease of a
// job. While a hypervisor holds the whole machine it may stand still: nothing that is inside can tell.
//
// Its times are a type of their own, so that they are never mixed with those of timers.
class BootClock {
 public:
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  virtual ~BootClock() = default;
  virtual time_point now() const = 0;  // from any thread
};
using BootTime = BootClock::time_point;

class SystemBootClock final : public BootClock {
 public:
  time_point now() const override;
};

}  // namespace sallyport::platform
