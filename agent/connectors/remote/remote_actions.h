#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/remote/access.h"
#include "agent/connectors/site.h"

#include <memory>
#include <string_view>
#include <vector>

namespace sallyport::connectors::remote {

// PREFIX.get@1, PREFIX.put@1, PREFIX.list@1, PREFIX.move@1, PREFIX.delete@1: their arguments and outputs are in the
// catalogue (docs/actions.md). Every path is cleaned and checked against the local policy (`files`). Errors: policy,
// not_found, permission (also of the login), connection, changed, constraint (it exists already), disk_full, too_large,
// format (the server speaks nonsense), timeout, cancelled, invalid; and {"in_doubt", ...} when a change was not
// answered.
std::vector<std::unique_ptr<Action>> make_actions(const Site& site, const std::shared_ptr<const Servers>& servers,
                                                  std::string_view prefix);

}  // namespace sallyport::connectors::remote
