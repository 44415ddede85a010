#pragma once

#include "shared/tunnel/splice.h"

#include <array>
#include <string>
#include <string_view>

namespace sallyport::tunnels {

// Why a connection through a tunnel ended: the words of access records, explained in docs/operations/tunnels.md.
enum class ConnectionEnd {
  finished,           // both sides ended it as TCP does
  client_reset,       // the client broke it off
  target_reset,       // the target broke it off
  refused_by_policy,  // the agent's local policy does not allow the target
  unreachable,        // the target refused, did not answer, or has no address
  no_agent,           // no agent was linked that could carry it
  link_lost,          // the link of the agent that carried it ended
  idle,               // no byte for as long as the tunnel's limit says
  expired,            // the tunnel ended
  paused,             // the tunnel was paused
  removed,            // the tunnel was removed
  too_many,           // more connections at one time than the tunnel, the relay or the agent's link has room for
  not_allowed,        // the client's address is in none of the tunnel's networks
  access_ended,       // who it belongs to may not use the tunnel any more
  relay_stopped,
  failed,  // a fault in the relay; its log says more
};
inline constexpr std::array kConnectionEnds{
    ConnectionEnd::finished,    ConnectionEnd::client_reset, ConnectionEnd::target_reset,
    ConnectionEnd::unreachable, ConnectionEnd::no_agent,     ConnectionEnd::refused_by_policy,
    ConnectionEnd::link_lost,   ConnectionEnd::idle,         ConnectionEnd::expired,
    ConnectionEnd::paused,      ConnectionEnd::removed,      ConnectionEnd::too_many,
    ConnectionEnd::not_allowed, ConnectionEnd::access_ended, ConnectionEnd::relay_stopped,
    ConnectionEnd::failed,
};
std::string_view to_string(ConnectionEnd end);
bool was_carried(ConnectionEnd end);  // false: it was refused, or nothing took it at the other end

struct Ending {
  ConnectionEnd end = ConnectionEnd::finished;
  std::string detail = {};  // for people
};

// What splice() came to, seen from the relay.
Ending ending_of(const tunnel::SpliceOutcome& outcome);

}  // namespace sallyport::tunnels
