#pragma once

#include "shared/execution/step_result.h"

// How a step says what it gave or why it failed, as connectors and the core that runs recipes both know it.
namespace sallyport::connectors {

using execution::Output;
using execution::Plan;
using execution::step_fail;
using execution::StepError;
using execution::StepResult;

}  // namespace sallyport::connectors
