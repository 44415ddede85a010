#include "relay/domain/trusted_clock.h"

#include <algorithm>
#include <utility>

namespace sallyport::domain {

std::string_view to_string(ClockStanding standing) {
  switch (standing) {
    case ClockStanding::unknown: return "unknown";
    case ClockStanding::agreed: return "agreed";
    case ClockStanding::ahead: return "ahead";
    case ClockStanding::behind: return "behind";
  }
  return "";
}

TrustedClock::TrustedClock(std::optional<SavedClock> saved, ClockTerms terms)
    : terms_(terms), believed_(std::move(saved)) {
  if (believed_) reference_ = {believed_->believed, believed_->since_boot};
}

std::optional<WallTime> TrustedClock::judge(const ClockSample& sample) {
  go_on_from(sample);
  if (const auto told = confirmed(sample)) {
    believe(sample, *told);
  } else if (believed_ && reference_) {
    believe_steady(sample, believed_->believed, *reference_);
  }
  return believed_ ? std::optional(believed_->believed) : std::nullopt;
}

void TrustedClock::confirm(const ClockSample& sample) { believe(sample, sample.wall); }

std::optional<SavedClock> TrustedClock::to_save() const { return believed_; }

// In another boot nobody knows how long the machine was off, and another machine may have been up for long: time has
// not gone backwards, that is all.
void TrustedClock::go_on_from(const ClockSample& sample) {
  const bool began = std::exchange(sampled_, true);
  if (!believed_) return;
  const bool same_boot = began || (!sample.boot.empty() && sample.boot == believed_->boot);
  if (same_boot && sample.since_boot >= believed_->since_boot) return;
  reference_ = {believed_->believed, sample.since_boot};
}

// The earlier of clocks that agree, so that both would have to be wrong together.
std::optional<WallTime> TrustedClock::confirmed(const ClockSample& sample) const {
  if (!sample.agents) return std::nullopt;
  const auto agrees = [&](WallTime clock) { return std::chrono::abs(clock - sample.wall) <= terms_.agreement; };
  const auto told = std::min(sample.wall, sample.agents->least);
  if (!agrees(sample.agents->least) || (goes_back(told) && !agrees(sample.agents->most))) return std::nullopt;
  return told;
}

// Clocks that agree are not equal: for their differences alone nothing goes back.
bool TrustedClock::goes_back(WallTime told) const { return believed_ && told < believed_->believed - terms_.agreement; }

void TrustedClock::believe(const ClockSample& sample, WallTime told) {
  const WallTime now = believed_ && !goes_back(told) ? std::max(told, believed_->believed) : told;
  reference_ = {told, sample.since_boot};
  believed_ = {now, sample.since_boot, sample.boot};
  standing_ = ClockStanding::agreed;
}

// The clock since boot may be fast itself, so it counts for as much less.
void TrustedClock::believe_steady(const ClockSample& sample, WallTime least, Mark from) {
  const auto passed = sample.since_boot - from.since_boot;
  const auto drift = passed * terms_.drift_ppm / 1'000'000;
  const auto ahead = sample.wall - (from.wall + passed);
  const bool agrees = std::chrono::abs(ahead) <= terms_.step + drift;
  standing_ = agrees ? ClockStanding::agreed : ahead > ahead.zero() ? ClockStanding::ahead : ClockStanding::behind;
  const WallTime steady = from.wall + passed - drift;
  const WallTime now = agrees ? std::min(sample.wall, steady) : steady;
  believed_ = {std::max(now, least), sample.since_boot, sample.boot};
}

}  // namespace sallyport::domain
