#pragma once

#include "relay/cli/context.h"

#include <string>

namespace sallyport::cli {

// Follows a job to its end and prints what happens: lines for people, one JSON (or YAML) document per event for
// programs, none twice. Outlives lost connections and restarts of the relay, as long as context.patience allows; gives
// the job's last state. not_found and errors that waiting cannot mend end it at once.
Result<std::string> follow_job(Client& client, const Context& context, const std::string& job);

// The line of one entry of a job's history.
std::string history_line(const Value& event);

}  // namespace sallyport::cli
