#pragma once

#include "agent/connectors/site.h"

#include <cstdint>
#include <string>
#include <string_view>

// What connections with files of their own share: those of this machine and those of servers.
namespace sallyport::connectors {

// `path` as clean_path() gives it. One that would leave the connection's root is class "policy", so that the attempt is
// on record.
StepResult<std::string> path_below_root(std::string_view connection, std::string_view path);

// Class "too_large" for more than the local policy lets one step move (limits.bytes).
StepResult<void> check_size(const Site& site, std::string_view connection, std::uint64_t bytes);

}  // namespace sallyport::connectors
