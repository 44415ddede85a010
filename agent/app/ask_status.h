#pragma once

#include "agent/policy/agent_config.h"
#include "shared/base/result.h"
#include "shared/base/value.h"

namespace sallyport::app {

// What the agent that runs on the state directory of `config` says of itself (agent_status.h). Errc::not_found: none
// runs there; forbidden: this user may not enter the directory; invalid: what answers is no agent.
Result<Value> ask_status(const policy::AgentConfig& config);

}  // namespace sallyport::app
