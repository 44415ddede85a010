#pragma once

#include "relay/api/caller.h"
#include "relay/api/services.h"
#include "relay/api/tunnel_lookout.h"
#include "shared/http/types.h"

#include <memory>

namespace sallyport::api {

// A tunnel as it stands on this relay, as server-sent events, looked at once a second: first and at every change
// "figures" (status, entrance, connections, bytes), "opened" for each connection that is open and "ended" for each that
// ended, as its access record would be, also when it was too short to be seen open or was refused; of more than
// TunnelLookout::kMostTold such in a second the others are counted by "more_ended". Ends with "removed", or early with
// "closed" (a token that is no longer valid, a store that cannot be read, a reader that is half a minute late).
std::unique_ptr<http::EventSource> watch_tunnel(Services& services, Caller caller,
                                                std::shared_ptr<TunnelLookout> lookout);

}  // namespace sallyport::api
