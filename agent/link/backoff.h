#pragma once

#include <chrono>
#include <functional>
#include <optional>

namespace sallyport::agent {

// Uniform in [0, 1). Injected, so that tests choose.
using Random = std::function<double()>;

struct BackoffTimes {
  std::chrono::milliseconds base{500};
  std::chrono::milliseconds cap{60'000};      // after a refusal
  std::chrono::milliseconds healthy{30'000};  // a link that was ready this long wipes out earlier failures
  std::chrono::milliseconds away_cap{2'000};  // while the relay cannot be reached
};

// What went wrong decides how long an agent may stay away (docs/decisions/0014-coming-back.md).
enum class Setback {
  away,     // nobody answered, or a link that was up broke: trying costs the relay nothing until it is there again
  refused,  // somebody answered, and did not want this agent
};

// How long to wait before the next attempt: full jitter, uniform in [0, min(cap, base * 2^failures)) with a cap and a
// count of failures for each kind of setback, so that a thousand agents that lost the same relay do not come back at
// once. No clock of its own.
class Backoff {
 public:
  Backoff(BackoffTimes times, Random random) : times_(times), random_(std::move(random)) {}

  // Counts a failure. With the relay's `retry_after` the jitter comes on top of it, never before it.
  std::chrono::milliseconds next(Setback setback, std::optional<std::chrono::milliseconds> retry_after = std::nullopt);
  // Counts a refusal after which it makes sense to look in about every `period`: uniform in [period/2, 3/2 period).
  std::chrono::milliseconds around(std::chrono::milliseconds period);
  void link_was_ready_for(std::chrono::milliseconds length);
  unsigned failures() const { return away_ + refused_; }

 private:
  BackoffTimes times_;
  Random random_;
  unsigned away_ = 0;
  unsigned refused_ = 0;
};

}  // namespace sallyport::agent
