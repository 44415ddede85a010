#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/link/channel.h"

namespace sallyport::authorizations {

// The way to agents for authorizations (docs/protocol.md P18). Implemented by relay/gateway; lives on the relay's loop.
class AgentLines {
 public:
  virtual ~AgentLines() = default;
  // Errc::unavailable: the agent is not linked, or does not know authorizations.
  virtual Result<link::Channel> open_for_authorization(const OrgId& org, const AgentId& agent) = 0;
};

}  // namespace sallyport::authorizations
