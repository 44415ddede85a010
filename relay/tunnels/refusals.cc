#include "relay/tunnels/refusals.h"

#include <algorithm>
#include <utility>

namespace sallyport::tunnels {

bool Refusals::is_told(const std::string& source, SteadyTime now) {
  if (!since_) since_ = now;
  if (told_.size() < kSources && std::ranges::find(told_, source) == told_.end()) {
    told_.push_back(source);
    return true;
  }
  rest_.source = source;
  ++rest_.count;
  return false;
}

std::optional<Refusals::Rest> Refusals::due(SteadyTime now) {
  if (!since_ || now - *since_ < kMinute) return std::nullopt;
  return take();
}

std::optional<Refusals::Rest> Refusals::take() {
  since_.reset();
  told_.clear();
  auto rest = std::exchange(rest_, {});
  return rest.count > 0 ? std::optional(std::move(rest)) : std::nullopt;
}

}  // namespace sallyport::tunnels
