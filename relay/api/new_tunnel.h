#pragma once

#include "relay/api/call.h"
#include "relay/api/schema.h"
#include "relay/store/tunnels.h"

#include <optional>
#include <string_view>

// What a caller orders when they make a tunnel.
namespace sallyport::api {

extern const Schema kNewTunnel;

// How long a tunnel with an end lives at most; one without lives until it is removed.
inline constexpr std::chrono::hours kLongestTunnelLife{24 * 366};

// From a body that fits kNewTunnel, in canonical forms, with the defaults of what it leaves out. The group is the
// handler's business, the agent is not looked up.
store::Tunnel new_tunnel(const Call& call, TunnelId id, WallTime now);

// What is wrong with the time at which it is to end; "" when nothing is.
std::string_view fault_of_end(const store::Tunnel& tunnel);

}  // namespace sallyport::api
