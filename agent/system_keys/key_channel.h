#pragma once

#include "agent/system_keys/system_keys.h"
#include "shared/link/channel.h"

#include <boost/asio/awaitable.hpp>

namespace sallyport::agent {

inline constexpr std::string_view kSystemKeysCapability = "system-keys";
inline constexpr std::string_view kSystemKeysPurpose = "system-keys/1";  // of a channel that the relay opens

// The agent's end of one such channel (docs/protocol.md P16): takes the set that the relay brings, and answers with
// what it can open and with its word for its sealing key. Ends within 10 s. `keys` and `log` outlive it.
boost::asio::awaitable<void> take_system_keys(SystemKeys& keys, const Log& log, link::Channel channel);

}  // namespace sallyport::agent
