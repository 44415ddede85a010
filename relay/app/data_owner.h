#pragma once

#include "relay/app/settings.h"

namespace sallyport::app {

// Whether this process is of the user to whom the data directory and the deployment's in it belong; what is not there
// is no fault. For commands that make files there which the relay has to read: root gets past every mode, and leaves
// files that nobody else can open. forbidden: names the user to be. Blocking.
Result<void> check_owner(const DataDirectory& data);

// not_found: no relay was made there. forbidden: this user may not look. Blocking.
Result<void> expect_relay(const DataDirectory& data);

}  // namespace sallyport::app
