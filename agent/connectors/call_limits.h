#pragma once

#include "shared/base/clock.h"

#include <stop_token>

namespace sallyport::connectors {

// How long a native call may take: until the deadline (class "timeout") or a stop ("cancelled").
struct CallLimits {
  SteadyTime deadline;
  std::stop_token stop;
};

}  // namespace sallyport::connectors
