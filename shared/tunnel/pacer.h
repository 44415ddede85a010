#pragma once

#include "shared/base/clock.h"

#include <cstddef>
#include <cstdint>

namespace sallyport::tunnel {

// A token bucket for the bytes of one direction, kept as the time at which it is empty again (the generic cell rate
// algorithm of ITU-T I.371): over any span of time no more than its rate and a tenth of a second's worth pass. No clock
// of its own, no IO.
class Pacer {
 public:
  explicit Pacer(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}  // 0: no limit

  bool limits() const { return rate_ > 0; }
  // How much to move at one time, so that a low rate comes evenly: 1 .. `most`.
  std::size_t chunk(std::size_t most) const;
  // `bytes` have moved (less than 4 GiB); gives the time before which nothing more may.
  SteadyTime spend(std::size_t bytes, SteadyTime now);

 private:
  std::uint64_t rate_;
  SteadyTime spent_until_{};
};

}  // namespace sallyport::tunnel
