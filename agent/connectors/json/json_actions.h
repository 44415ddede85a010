#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::json {

inline constexpr std::size_t kMaxDocument = 4u << 20;

// json.parse@1: one strict JSON document (shared/base/json.h) of at most 4 MiB as a value; output value.
// json.read_lines@1: describes rows, one JSON object per line; output rows, batches, columns.
// json.read_rows@1: the same of the objects of one array in a document of any size.
// json.write@1: one value as a document, or rows line by line, into the spool; output file, count.
// Errors: format (with the byte or line, never the content), too_large, disk_full and those of the source.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::json
