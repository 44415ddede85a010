#pragma once

#include "relay/app/settings.h"
#include "shared/base/clock.h"
#include "shared/base/secret.h"

#include <string>

namespace sallyport::app {

struct TokenOrder {
  DataDirectory data;
  std::string owner_email;   // compared without case
  std::string organisation;  // its name; empty: the only one in which this owner is
};

// A new API token of an owner with all that their role allows, 90 days long: the way in for whoever holds the data
// directory when every token is lost or has ended. Audited in the organisation's ledger. Blocking; for a relay that
// does not run. Errors: conflict when a process uses the directory; not_found when there is no relay in it, no such
// organisation or no such user; invalid when the user is no owner, or one of several organisations; forbidden when the
// directory is another user's.
Result<Secret> make_owner_token(const TokenOrder& order, const Clock& clock);

}  // namespace sallyport::app
