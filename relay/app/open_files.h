#pragma once

#include "relay/gateway/gateway.h"
#include "relay/tunnels/carrier.h"
#include "shared/http/server.h"

#include <cstddef>

// How many connections fit into the number of files that this process may have open. The relay's own limits have to be
// reached before the operating system's: then the oldest silent connection makes room, where otherwise accepting, the
// database and the log would fail for everybody.
namespace sallyport::app {

// Kept free for everything but connections: the database and its log, keys, the log, the loop, both listening sockets,
// what was accepted and is about to be closed.
inline constexpr std::size_t kOwnFiles = 128;
inline constexpr std::size_t kLeastApi = 128;    // connections of people; with fewer of either the relay does not start
inline constexpr std::size_t kLeastLinks = 128;  // connections of agents

// Tunnels get what is over: with the least number of files the relay starts and carries none.
struct ConnectionLimits {
  http::Limits api;  // what becomes something else there is one half links, one half sessions of workstations
  gateway::GatewayLimits links;
  tunnels::CarrierLimits tunnels;

  std::size_t files() const {
    return kOwnFiles + api.max_connections + links.connections + tunnels.connections + tunnels.listeners;
  }
};

// Raises the number of files that this process may have open to the most it may give itself, and tells it.
// Errc::unavailable: the operating system refused.
Result<std::size_t> raise_open_files();

// `wanted` where `open_files` is enough for them; otherwise smaller ones, a quarter of what is left for the API and a
// quarter of the rest for tunnels, of which each listener takes a place too. Errc::exhausted: not even the least fits,
// and what to do.
Result<ConnectionLimits> fit_connections(std::size_t open_files, const ConnectionLimits& wanted = {});

}  // namespace sallyport::app
