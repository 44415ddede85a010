#pragma once

#include "agent/system_keys/system_keys.h"
#include "shared/link/channel.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

namespace sallyport::agent {

inline constexpr std::string_view kSystemKeysCapability = "system-keys";
inline constexpr std::string_view kSystemKeysPurpose = "system-keys/1";  // of a channel that the relay opens

// The agent's end of one such channel (docs/protocol.md P16): takes the set that the relay brings, and answers with
// what it can open and with its word for its sealing key. Ends within 10 s, or when `files`, on which the set is
// written, is done with it. What it is given outlives it.
boost::asio::awaitable<void> take_system_keys(SystemKeys& keys, boost::asio::thread_pool& files, const Log& log,
                                              link::Channel channel);

}  // namespace sallyport::agent
