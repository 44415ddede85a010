#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::http {

// http.request@1: one request below the connection's `url`; its body and the answer's stream. Output: status, headers,
// body (spool), json. http.pages@1: reads a list that comes in pages, as stored rows.
// Errors: {"status:404", "not_found"} and the like for a status that was not expected, with the beginning of what the
// server said in the error's output; connection, timeout, permission, policy, invalid, not_found, changed, format,
// too_large, disk_full, cancelled; {"in_doubt", ...} for a POST or PATCH without an idempotency key that was sent, and
// whose outcome is not known. Messages hold no setting, no parameter and nothing that the server said.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::http
