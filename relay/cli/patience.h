#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <chrono>
#include <optional>

namespace sallyport::cli {

struct PatienceTimes {
  std::chrono::milliseconds first{500};        // the longest wait after the first loss; doubles from there ...
  std::chrono::milliseconds longest{10'000};   // ... to here
  std::chrono::milliseconds give_up{300'000};  // after so long without a byte
};

// How long somebody who lost the relay waits before each next try, and when to stop trying. Waits are drawn from the
// upper half of a time that doubles, so that many watchers of a relay that restarts do not come back at once. No clock
// of its own, no IO.
class Patience {
 public:
  Patience(PatienceTimes times, SteadyTime now) : times_(times), last_heard_(now) {}

  void heard(SteadyTime now);  // a byte came: all is forgotten
  // `luck` is uniform in [0, 1). Nothing: give up.
  std::optional<std::chrono::milliseconds> next_wait(SteadyTime now, double luck);

 private:
  PatienceTimes times_;
  SteadyTime last_heard_;
  unsigned tries_ = 0;
};

bool may_pass(Errc code);  // whether a call that failed so is worth another try
double drawn_luck();       // uniform in [0, 1)

}  // namespace sallyport::cli
