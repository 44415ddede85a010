#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/link/channel.h"

#include <string>
#include <vector>

namespace sallyport::tunnels {

// The way to the agents that are linked to this relay. Implemented by relay/gateway; lives on the relay's loop.
class AgentChannels {
 public:
  virtual ~AgentChannels() = default;
  // The agents of a group whose link is up and that carry tunnels (capability "tunnels"), in no particular order.
  virtual std::vector<AgentId> linked(const OrgId& org, const GroupId& group) const = 0;
  // Whether its link is up and it carries tunnels, in whatever group it is.
  virtual bool is_linked(const OrgId& org, const AgentId& agent) const = 0;
  // How many more connections its links carry that take any.
  virtual std::size_t places_left(const OrgId& org, const AgentId& agent) const = 0;
  // Opens a channel on the agent's link. Errc::unavailable: it is not linked, or its link is going away. Errc::refused
  // does not exist here: what the agent thinks of it comes as a reset of the channel.
  virtual Result<link::Channel> open(const OrgId& org, const AgentId& agent, std::string_view purpose) = 0;
};

}  // namespace sallyport::tunnels
