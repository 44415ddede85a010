#include "agent/link/own_clock.h"

namespace sallyport::agent {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::hours kDay{24};
constexpr milliseconds kStep{30'000};    // less makes no difference to the relay (docs/decisions/0032),
constexpr std::int64_t kDriftPpm = 500;  // and nor does, in a day, what is corrected bit by bit

}  // namespace

std::optional<WallTime> OwnClock::tell() {
  const auto wall = clock_.wall();
  const auto at = boot_.now();
  if (mark_) {
    const auto passed = std::chrono::duration_cast<milliseconds>(at - mark_->at);
    const auto off = std::chrono::abs(wall - (mark_->wall + passed));
    if (off > kStep + passed * kDriftPpm / 1'000'000) {
      mark_.reset();
      silent_until_ = at + kDay;
    }
  }
  if (!mark_ || at - mark_->at >= kDay) mark_ = {wall, at};
  if (silent_until_ && at < *silent_until_) return std::nullopt;
  return wall;
}

}  // namespace sallyport::agent
