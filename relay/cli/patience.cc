#include "relay/cli/patience.h"

#include "shared/crypto/random.h"

#include <algorithm>

namespace sallyport::cli {
using std::chrono::milliseconds;

void Patience::heard(SteadyTime now) {
  last_heard_ = now;
  tries_ = 0;
}

std::optional<milliseconds> Patience::next_wait(SteadyTime now, double luck) {
  const auto left = times_.give_up - std::chrono::duration_cast<milliseconds>(now - last_heard_);
  if (left <= milliseconds(0)) return std::nullopt;
  // Beyond 2^20 the longest wait decides anyway.
  const auto most = std::min(times_.longest, times_.first * (std::int64_t{1} << std::min(tries_++, 20u)));
  const milliseconds wait(static_cast<std::int64_t>(static_cast<double>(most.count()) * (0.5 + luck / 2)));
  return std::min(wait, left);
}

bool may_pass(Errc code) { return code == Errc::unavailable || code == Errc::timed_out || code == Errc::exhausted; }

double drawn_luck() {
  const auto bytes = crypto::random_bytes(2);
  return (std::to_integer<int>(bytes[0]) * 256 + std::to_integer<int>(bytes[1])) / 65536.0;
}

}  // namespace sallyport::cli
