#pragma once

#include "agent/platform/service_host.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <functional>

namespace sallyport::app {

// A round trip through the part of the agent that takes work.
using ProveAlive = std::function<boost::asio::awaitable<Result<void>>()>;

// Feeds the service manager's watchdog at half of its time, whether a link is up or not, and only after a round trip
// that ended well: an agent that hangs, or cannot reach its journal, is to be started anew. Runs until it is cancelled;
// returns at once when there is no watchdog. `host` outlives it.
boost::asio::awaitable<void> feed_watchdog(ProveAlive prove_alive, const platform::ServiceHost& host);

}  // namespace sallyport::app
