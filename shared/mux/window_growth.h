#pragma once

#include "shared/base/clock.h"
#include "shared/mux/mux.h"

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <span>

namespace sallyport::mux {

// Windows that follow the line: a channel gets room for thrice what its reader took within the last round trip, so that
// the line or the reader sets the pace and not the window. Thrice, because credit of a small window goes out when half
// of it is used up (docs/protocol.md P6.4): a channel that only its window limits may carry little more than half of it
// in a round trip. A window at most doubles within a round trip. It halves when a quarter of it would do, so that
// channels that stopped using theirs give it back to others. Mux holds it to the limits. Without a measured round trip
// nothing changes. No clock of its own; not thread-safe.
class WindowGrowth {
 public:
  // The least of the last eight counts: on a loaded line the others measure its queue.
  void measured(std::chrono::nanoseconds round_trip);
  // A WindowPolicy, asked at `now`.
  std::uint32_t wanted(const WindowUse& use, SteadyTime now);
  void forget(ChannelNumber channel);  // it has ended

  std::optional<std::chrono::nanoseconds> round_trip() const;

 private:
  struct Mark {
    SteadyTime at;
    std::uint64_t consumed = 0;
  };

  std::array<std::chrono::nanoseconds, 8> measured_{};
  std::size_t count_ = 0;
  std::map<ChannelNumber, Mark> marks_;  // where each stood when its round trip began
};

}  // namespace sallyport::mux
