#include "agent/link/backoff.h"

#include <algorithm>

namespace sallyport::agent {
using std::chrono::milliseconds;

milliseconds Backoff::next(std::optional<milliseconds> retry_after) {
  // Beyond 2^20 the cap decides anyway.
  const auto doubled = times_.base * (std::int64_t{1} << std::min(failures_, 20u));
  ++failures_;
  const auto most = std::min<milliseconds>(times_.cap, doubled);
  const milliseconds jitter(static_cast<std::int64_t>(static_cast<double>(most.count()) * random_()));
  return retry_after.value_or(milliseconds(0)) + jitter;
}

void Backoff::link_was_ready_for(milliseconds length) {
  if (length >= times_.healthy) failures_ = 0;
}

}  // namespace sallyport::agent
