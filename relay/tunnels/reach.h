#pragma once

#include "relay/tunnels/desk.h"
#include "relay/tunnels/placement.h"

#include <span>

namespace sallyport::tunnels {

// What an agent says on a channel with purpose "reach/1 ..." (docs/protocol.md P14), without who says it.
// Errc::invalid: not such a message, or longer than one may be.
Result<Reach> parse_reach(std::span<const std::byte> message);

// Waits for the agent's answer. Never fails: what is wrong stands in `detail`.
boost::asio::awaitable<Reach> ask_reach(Placement::Opened opened, std::chrono::milliseconds limit);

}  // namespace sallyport::tunnels
