#pragma once

#include "relay/api/call.h"
#include "relay/api/schema.h"
#include "relay/store/tunnels.h"

// What a caller orders when they make a tunnel.
namespace sallyport::api {

extern const Schema kNewTunnel;

// From a body that fits kNewTunnel, in canonical forms, with the defaults of what it leaves out. The group is the
// handler's business, the agent is not looked up.
store::Tunnel new_tunnel(const Call& call, TunnelId id, WallTime now);

}  // namespace sallyport::api
