#include "shared/tunnel/pacer.h"

#include <algorithm>

namespace sallyport::tunnel {
namespace {
constexpr std::uint64_t kChunksPerSecond = 20;
constexpr std::chrono::milliseconds kBurst{100};
}  // namespace

std::size_t Pacer::chunk(std::size_t most) const {
  if (!limits()) return most;
  return std::clamp<std::uint64_t>(rate_ / kChunksPerSecond, 1, most);
}

SteadyTime Pacer::spend(std::size_t bytes, SteadyTime now) {
  if (!limits()) return now;
  const std::chrono::nanoseconds cost((bytes * 1'000'000'000 + rate_ - 1) / rate_);
  spent_until_ = std::max(spent_until_, now) + cost;
  return spent_until_ - kBurst;
}

}  // namespace sallyport::tunnel
