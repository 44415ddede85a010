#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::mail {

// mail.send@1 on connections of kind "smtp"; arguments and outputs are in the catalogue (docs/actions.md). Every
// recipient is held to the local policy, the sender to the connection's `from`. Errors: see smtp.h. A run that was not
// answered is "in_doubt": run again, the mail has the same Message-ID, which receivers may know it by.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

// `connection test` of kind "smtp"; what `site` has outlives it.
std::unique_ptr<ConnectionTest> make_smtp_test(Site site);

}  // namespace sallyport::connectors::mail
