#include "relay/app/open_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::app {
namespace {
constexpr std::size_t kApiPart = 4;     // one of so many parts is the API's
constexpr std::size_t kSourcePart = 2;  // no address takes more than one of so many parts of the API's
constexpr std::size_t kGuestPart = 2;   // nor do those who have proved nothing take more of the agents'
}  // namespace

Result<ConnectionLimits> fit_connections(std::size_t open_files) {
  constexpr std::size_t kLeast = kOwnFiles + kLeastApi + kLeastLinks;
  ConnectionLimits limits;
  if (open_files >= limits.files()) return limits;
  const std::size_t left = open_files - std::min(open_files, kOwnFiles);
  auto& [api, links] = limits;
  api.max_connections = std::min(api.max_connections, std::max(kLeastApi, left / kApiPart));
  if (open_files < kLeast) {
    return fail(Errc::exhausted,
                fmt::format("this process may have {} files open, and the relay needs {} at the least, {} for all its "
                            "connections: raise the hard limit (`ulimit -Hn`, LimitNOFILE= of its unit)",
                            open_files, kLeast, ConnectionLimits().files()));
  }
  links.connections = std::min(links.connections, left - api.max_connections);
  api.max_per_source = std::min(api.max_per_source, api.max_connections / kSourcePart);
  links.door.guests = std::min(links.door.guests, links.connections / kGuestPart);
  return limits;
}

}  // namespace sallyport::app
