#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::fixed {

// fixed.read@1: describes the rows of a body; output rows, batches, columns.
// fixed.write@1: writes rows into the spool; output file, count. Errors: format, too_large, disk_full and those of the
// source.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::fixed
