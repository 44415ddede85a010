#pragma once

#include "relay/api/caller.h"
#include "relay/api/services.h"
#include "relay/http/types.h"

#include <memory>

namespace sallyport::api {

struct TunnelWatch {
  Caller caller;
  TunnelId tunnel;
};

// A tunnel as it stands on this relay, as server-sent events, looked at once a second: first and at every change
// "figures" (status, entrance, connections, bytes), "opened" for each connection that is open and "ended" with its
// access record when it is no longer; what lives for less than a second is in the figures only. Ends with "removed", or
// early with "closed" (a token that is no longer valid, a store that cannot be read).
std::unique_ptr<http::EventSource> watch_tunnel(Services& services, TunnelWatch watch);

}  // namespace sallyport::api
