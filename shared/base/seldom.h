#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace sallyport {

// Lets one of many equal things through in a while: for log lines of what may happen many times a second.
class Seldom {
 public:
  explicit Seldom(std::chrono::milliseconds pause) : pause_(pause) {}

  // Call it each time. How often it has happened since the last one that was let through, this one included; nothing:
  // too soon.
  std::optional<std::uint64_t> due(SteadyTime now) {
    ++times_;
    if (last_ && now - *last_ < pause_) return std::nullopt;
    last_ = now;
    const auto told = times_;
    times_ = 0;
    return told;
  }

 private:
  std::chrono::milliseconds pause_;
  std::optional<SteadyTime> last_;
  std::uint64_t times_ = 0;
};

}  // namespace sallyport
