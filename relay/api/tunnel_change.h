#pragma once

#include "relay/api/call.h"
#include "relay/api/schema.h"
#include "relay/store/tunnels.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

namespace sallyport::api {

struct Services;

extern const Schema kTunnelChange;

// Changes who may use a tunnel, its limits and its end: what the body says; the rest stays as it is, also when somebody
// else changes that at the same time. With If-Match, 412 when the tunnel is in another state. The ledger gets what
// changed, as it was and as it is. The desk hears of it before the answer.
boost::asio::awaitable<Result<Answer>> change_tunnel(Services& services, Call call);

// How it stands on this relay now, with the ETag of its state.
Answer tunnel_answer(const Services& services, const store::Tunnel& tunnel);

}  // namespace sallyport::api
