#pragma once

#include "agent/connectors/connector.h"

namespace sallyport::runner {

// One step of a dry run, on the pool: what the catalogue says of its action (recipe::DryRun), and nothing that it does
// not say. Of a step that is only planned the local policy is asked whether the action may be used on the connection at
// all.
connectors::StepResult<connectors::Output> run_dry(connectors::Action& action, const connectors::StepContext& context,
                                                   const Value& arguments);

}  // namespace sallyport::runner
