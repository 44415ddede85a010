#include "agent/link/way_choice.h"

namespace sallyport::agent {

Way WayChoice::first(SteadyTime now) const {
  if (via_ != Via::automatic) return via_ == Via::direct ? Way::direct : Way::websocket;
  return websocket_until_ && now < *websocket_until_ ? Way::websocket : Way::direct;
}

std::optional<Way> WayChoice::after(Way failed, Obstacle why) {
  if (via_ != Via::automatic) return std::nullopt;
  if (failed == Way::websocket) {
    websocket_until_.reset();
    return Way::direct;
  }
  // A relay that starts anew is away for a moment, and crowded for another; what stands in the way stays.
  if (why == Obstacle::nobody_there && ++nobody_there_ < times_.tries) return std::nullopt;
  if (why == Obstacle::silence && ++silences_ < times_.tries) return std::nullopt;
  return Way::websocket;
}

void WayChoice::worked(Way way, SteadyTime now) {
  nobody_there_ = silences_ = 0;
  if (way == Way::direct) return websocket_until_.reset();
  if (websocket_until_ && now < *websocket_until_) return;
  const auto spread = std::chrono::duration<double>(times_.most - times_.least) * random_();
  websocket_until_ = now + times_.least + std::chrono::duration_cast<SteadyTime::duration>(spread);
}

}  // namespace sallyport::agent
