#pragma once

#include "relay/api/call.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

namespace sallyport::api {

struct Services;

// A workstation opens a tunnel: the connection becomes a session of it (docs/protocol.md P15). Errc::forbidden: the
// tunnel does not let this caller in; others as tunnels::Desk::session. The session ends within seconds when the caller
// may open it no longer.
boost::asio::awaitable<Result<Answer>> open_tunnel_session(Services& services, Call call);

}  // namespace sallyport::api
