#pragma once

#include "relay/store/connections.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::gateway {

struct ToldConnection {
  store::Connection connection;
  std::string detail;  // in clear: to be sealed
};

// "healthy" and "failing"; every other word is unknown.
store::ConnectionHealth health_of(std::string_view word);
// A time of an agent's clock, which may be wrong: neither before 1970 nor in the future.
WallTime not_after(std::int64_t at_ms, WallTime now);

// The connections an agent names in Hello (`policy_summary_json`): names, kinds and health. "" is no connection.
// Errc::invalid or too_large: not such a summary; nothing of it is used.
Result<std::vector<ToldConnection>> connections_of(const OrgId& org, const AgentId& agent,
                                                   std::string_view summary_json, WallTime at);

}  // namespace sallyport::gateway
