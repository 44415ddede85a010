#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::file {

// file.read@1, file.write@1, file.move@1, file.list@1, file.delete@1: their arguments and outputs are in the catalogue
// (docs/actions.md). Every path is cleaned, checked against the local policy, and resolved below the connection's root
// by the kernel; symbolic links below the root are never followed. Errors: policy, not_found, permission, changed,
// constraint (it exists already), disk_full, too_large, connection (the file system failed), timeout, cancelled,
// invalid; and {"in_doubt", ...} when the change may have happened, or may not survive a power cut.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::file
