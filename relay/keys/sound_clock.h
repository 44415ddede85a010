#pragma once

#include "shared/base/clock.h"

#include <algorithm>
#include <functional>
#include <optional>

namespace sallyport::keys {

// The wall clock for whoever writes down when something was made or ended: never earlier than what is believed, so that
// nothing expires early that was written while the wall clock was behind. When the wall clock is ahead it is told as it
// is, for it may be right; what is written then is kept too long by as much, at most.
class SoundClock final : public Clock {
 public:
  using Believed = std::function<std::optional<WallTime>()>;  // nothing: not known

  SoundClock(const Clock& clock, Believed believed) : clock_(clock), believed_(std::move(believed)) {}

  SteadyTime steady() const override { return clock_.steady(); }
  WallTime wall() const override {
    const auto shown = clock_.wall();
    return std::max(shown, believed_().value_or(shown));
  }
  // What time it is at the earliest.
  WallTime earliest() const {
    const auto shown = clock_.wall();
    return std::min(shown, believed_().value_or(shown));
  }

 private:
  const Clock& clock_;
  Believed believed_;
};

}  // namespace sallyport::keys
