#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::archive {

// gzip.pack@1, gzip.unpack@1, zstd.pack@1, zstd.unpack@1: a body into the spool; output file.
// zip.list@1: what a ZIP holds; output entries, count. zip.unpack@1: its entries into the spool; output files, count.
// zip.pack@1: bodies into a ZIP in the spool; output file, count.
// Errors: format, too_large, disk_full and those of the source.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::archive
