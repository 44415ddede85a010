#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::command {

// command.run@1: runs a command of the local policy with parameters put into its argument vector. No shell; the program
// gets its own process group, user, limits, directory and environment from the policy, and nothing else.
// `stdin` is text, bytes or a body. Output: exit_code, stdout (spool), text (standard output when it is UTF-8 of at
// most 64 KiB, else null), stderr (the last 8 KiB). Errors: {"exit:N", "command"} for an exit code other than 0,
// {"signal:N", "command"}, policy, timeout, cancelled, too_large (more output than the policy allows: the program is
// ended); not_found, permission, invalid, too_large (its arguments) and, when it may work later, connection for one
// that cannot be started; {"in_doubt", ...} when it succeeded and its output could not be kept. Messages hold no output
// and no parameter, and name nothing of the template but its name: path, directory and user go to the agent's log
// (`command.failed`).
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::command
