#pragma once

#include "relay/app/settings.h"

namespace sallyport::app {

// Whether nobody but its owner may read the data directory and what is secret in it; what is not there is no fault.
// forbidden: names everything that others may read, a line each, with the command that mends it. Blocking.
Result<void> check_private(const DataDirectory& data);

}  // namespace sallyport::app
