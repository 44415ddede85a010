#pragma once

#include "agent/policy/config.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/redactor.h"
#include "shared/base/result.h"

namespace sallyport::app {

// Runs the enrolled agent until SIGTERM or SIGINT, then drains: takes no new job, lets running steps end or stops them
// at the deadline, tells the relay. Builds the whole graph of objects; the only place that names concrete classes.
// Errors say what is missing or wrong and what to do: not enrolled, state directory in use, journal damaged.
// `redactor`: what the log writes through, if anything.
Result<void> run_agent(const policy::Config& config, const Clock& clock, const Log& log, Redactor& redactor);

}  // namespace sallyport::app
