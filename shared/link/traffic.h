#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <cstdint>

namespace sallyport::link {

// How much went over a link lately: within the last one to two seconds, both directions together.
class Traffic {
 public:
  void add(std::size_t bytes, SteadyTime now) {
    turn_over(now);
    current_ += bytes;
  }
  std::uint64_t lately(SteadyTime now) {
    turn_over(now);
    return former_ + current_;
  }

 private:
  static constexpr std::chrono::seconds kSpan{1};

  void turn_over(SteadyTime now) {
    if (now - begun_ < kSpan) return;
    const bool follows = now - begun_ < 2 * kSpan;
    former_ = follows ? current_ : 0;
    current_ = 0;
    begun_ = follows ? begun_ + kSpan : now;
  }

  SteadyTime begun_{};
  std::uint64_t former_ = 0;
  std::uint64_t current_ = 0;
};

}  // namespace sallyport::link
