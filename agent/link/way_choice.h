#pragma once

#include "agent/link/backoff.h"
#include "shared/base/clock.h"

#include <chrono>
#include <optional>

namespace sallyport::agent {

// How a TLS session with the relay is carried: over TCP (perhaps by way of CONNECT), or inside a WebSocket over HTTPS.
enum class Way { direct, websocket };

// What agent.yaml allows.
enum class Via { automatic, direct, websocket };

// Why a way was no good.
enum class Obstacle {
  nobody_there,  // no TCP connection: the relay may be away, or the port may be closed on the way
  silence,       // nobody answered the handshake: the relay may be crowded, or somebody on the way swallows it
  interference,  // somebody answered who is not the relay, or something broke the handshake off
};

struct WayTimes {
  std::chrono::seconds least{600};  // how long the WebSocket goes first once it was needed: between these two
  std::chrono::seconds most{3600};
  unsigned tries = 2;  // of the direct way where nobody answers, before the WebSocket is tried
};

// Which way a new link begins with, and what comes next when that fails. The direct way is the better one: it goes
// first again when the time of the WebSocket is over, or when the WebSocket fails. No IO, no clock.
class WayChoice {
 public:
  WayChoice(Via via, WayTimes times, Random random) : via_(via), times_(times), random_(std::move(random)) {}

  Way first(SteadyTime now) const;
  // The other way, when it is worth trying at once after `failed` did not lead to the relay.
  std::optional<Way> after(Way failed, Obstacle why);
  // Silence would be no reason yet to take the other way: a direct handshake may have all the time there is.
  bool bears_silence() const { return silences_ + 1 < times_.tries; }
  void worked(Way way, SteadyTime now);

 private:
  Via via_;
  WayTimes times_;
  Random random_;
  std::optional<SteadyTime> websocket_until_;
  unsigned nobody_there_ = 0;  // times on the direct way since one of the ways worked
  unsigned silences_ = 0;      // as well
};

}  // namespace sallyport::agent
