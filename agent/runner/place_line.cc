#include "agent/runner/place_line.h"

#include <algorithm>
#include <iterator>

namespace sallyport::runner {

bool PlaceLine::take(const JobId& job) {
  const auto it = std::ranges::find(line_, job);
  const auto before = static_cast<std::size_t>(std::distance(line_.begin(), it));
  if (before >= free_) {
    if (it == line_.end()) line_.push_back(job);
    return false;
  }
  if (it != line_.end()) line_.erase(it);
  --free_;
  return true;
}

void PlaceLine::give_back() {
  ++free_;
  wake_last_served();
}

void PlaceLine::leave(const JobId& job) {
  const auto it = std::ranges::find(line_, job);
  if (it == line_.end()) return;
  const bool served = static_cast<std::size_t>(std::distance(line_.begin(), it)) < free_;
  line_.erase(it);
  if (served) wake_last_served();
}

void PlaceLine::wake_last_served() const {
  if (free_ > 0 && line_.size() >= free_) wake_(*std::next(line_.begin(), static_cast<std::ptrdiff_t>(free_) - 1));
}

}  // namespace sallyport::runner
