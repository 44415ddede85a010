#pragma once

#include "relay/store/tunnels.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace sallyport::tunnels {

// Connections of one tunnel that have ended since somebody looked last, for whoever watches it: also those that have no
// access record of their own, or were refused. Bounded: what comes beyond kMost is counted. Lives on the relay's loop.
class EndedConnections {
 public:
  static constexpr std::size_t kMost = 2'000;

  struct Taken {
    std::vector<store::TunnelConnection> each;  // oldest first
    std::uint64_t more = 0;
  };

  void note(const store::TunnelConnection& ended) {
    if (waiting_.each.size() < kMost) {
      waiting_.each.push_back(ended);
    } else {
      ++waiting_.more;
    }
  }
  Taken take() { return std::exchange(waiting_, {}); }

 private:
  Taken waiting_;
};

}  // namespace sallyport::tunnels
