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

// The connections an agent names in Hello (`policy_summary_json`): names, kinds and health. "" is no connection.
// Errc::invalid or too_large: not such a summary; nothing of it is used.
Result<std::vector<ToldConnection>> connections_of(const OrgId& org, const AgentId& agent,
                                                   std::string_view summary_json, WallTime at);

}  // namespace sallyport::gateway
