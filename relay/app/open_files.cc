#include "relay/app/open_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::app {
namespace {
constexpr std::size_t kApiPart = 4;       // one of so many parts is the API's
constexpr std::size_t kSourcePart = 2;    // no address takes more than one of so many parts of the API's
constexpr std::size_t kTunnelPart = 4;    // one of so many parts of what the API leaves is the tunnels'
constexpr std::size_t kListenerPart = 8;  // and of that, one of so many parts the listeners'

constexpr std::size_t kCarriedPart = 2;  // of what stays open at the API: links, sessions of workstations

// What stays open at the API must not fill it: each kind has its own places of those.
void fit_upgraded(ConnectionLimits& limits) {
  const auto part = limits.api.max_upgraded() / kCarriedPart;
  limits.links.carried = std::min(limits.links.carried, part);
  limits.tunnels.sessions.all = std::min(limits.tunnels.sessions.all, part);
}

// Their part, or more when the agents do not need so much; nothing of the agents' least.
void fit_tunnels(tunnels::CarrierLimits& tunnels, std::size_t left, std::size_t links) {
  const std::size_t unwanted = left - std::min(left, links);
  const std::size_t places = std::min(left - std::min(left, kLeastLinks), std::max(unwanted, left / kTunnelPart));
  tunnels.listeners = std::min(tunnels.listeners, places / kListenerPart);
  tunnels.connections = std::min(tunnels.connections, places - tunnels.listeners);
}
}  // namespace

Result<ConnectionLimits> fit_connections(std::size_t open_files, const ConnectionLimits& wanted) {
  constexpr std::size_t kLeast = kOwnFiles + kLeastApi + kLeastLinks;
  ConnectionLimits limits = wanted;
  fit_upgraded(limits);
  if (open_files >= limits.files()) return limits;
  std::size_t left = open_files - std::min(open_files, kOwnFiles);
  auto& [api, links, tunnels] = limits;
  api.max_connections = std::min(api.max_connections, std::max(kLeastApi, left / kApiPart));
  if (open_files < kLeast) {
    return fail(Errc::exhausted,
                fmt::format("this process may have {} files open, and the relay needs {} at the least, {} for all its "
                            "connections: raise the hard limit (`ulimit -Hn`, LimitNOFILE= of its unit)",
                            open_files, kLeast, wanted.files()));
  }
  left -= api.max_connections;
  fit_tunnels(tunnels, left, links.connections);
  links.connections = std::min(links.connections, left - tunnels.connections - tunnels.listeners);
  fit_upgraded(limits);
  api.max_per_source = std::min(api.max_per_source, api.max_connections / kSourcePart);
  return limits;
}

}  // namespace sallyport::app
