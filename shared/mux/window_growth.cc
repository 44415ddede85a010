#include "shared/mux/window_growth.h"

#include <algorithm>
#include <utility>

namespace sallyport::mux {

void WindowGrowth::measured(std::chrono::nanoseconds round_trip) {
  measured_[count_++ % measured_.size()] = std::max(round_trip, std::chrono::nanoseconds(1));
}

std::optional<std::chrono::nanoseconds> WindowGrowth::round_trip() const {
  if (count_ == 0) return std::nullopt;
  return std::ranges::min(std::span(measured_).first(std::min(count_, measured_.size())));
}

std::uint32_t WindowGrowth::wanted(const WindowUse& use, SteadyTime now) {
  const auto [at, is_first] = marks_.try_emplace(use.channel, Mark{now, use.consumed});
  const auto trip = round_trip();
  const auto elapsed = now - at->second.at;
  if (is_first || !trip || elapsed < *trip) return use.window;
  const Mark before = std::exchange(at->second, Mark{now, use.consumed});
  const double trips = static_cast<double>(elapsed.count()) / static_cast<double>(trip->count());
  const double enough = 3 * static_cast<double>(use.consumed - before.consumed) / trips;
  if (enough < use.window / 4.0) return std::max(use.window / 2, std::min(use.least, use.window));
  return static_cast<std::uint32_t>(std::clamp<double>(enough, use.window, 2.0 * use.window));
}

void WindowGrowth::forget(ChannelNumber channel) { marks_.erase(channel); }

}  // namespace sallyport::mux
