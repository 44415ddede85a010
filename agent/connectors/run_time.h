#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>

namespace sallyport::connectors {

// The same action, with no more time than the local policy's `limits.run_time` gives a step on its connection. A
// timeout that this limit has caused says so. Every action of the agent is built through here.
std::unique_ptr<Action> within_run_time(std::unique_ptr<Action> action, Site site);

// `error` as it is, or with a word on `limits.run_time` when it is a timeout and that limit has cut it: what the policy
// allows is over at `end`, before the step's own `deadline`.
StepError naming_run_time(StepError error, std::chrono::milliseconds limit, SteadyTime end, SteadyTime deadline,
                          const Clock& clock);

}  // namespace sallyport::connectors
