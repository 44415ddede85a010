#pragma once

#include <chrono>
#include <functional>
#include <optional>

namespace sallyport::agent {

// Uniform in [0, 1). Injected, so that tests choose.
using Random = std::function<double()>;

struct BackoffTimes {
  std::chrono::milliseconds base{500};
  std::chrono::milliseconds cap{60'000};
  std::chrono::milliseconds healthy{30'000};  // a link that was ready this long wipes out earlier failures
};

// How long to wait before the next attempt: full jitter, uniform in [0, min(cap, base * 2^failures)), so that a
// thousand agents that lost the same relay do not come back at once. No clock of its own.
class Backoff {
 public:
  Backoff(BackoffTimes times, Random random) : times_(times), random_(std::move(random)) {}

  // Counts a failure. With the relay's `retry_after` the jitter comes on top of it, never before it.
  std::chrono::milliseconds next(std::optional<std::chrono::milliseconds> retry_after = std::nullopt);
  void link_was_ready_for(std::chrono::milliseconds length);
  unsigned failures() const { return failures_; }

 private:
  BackoffTimes times_;
  Random random_;
  unsigned failures_ = 0;
};

}  // namespace sallyport::agent
