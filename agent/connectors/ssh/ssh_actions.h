#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::ssh {

// sftp.get@1, sftp.put@1, sftp.list@1, sftp.move@1, sftp.delete@1 on connections of kind "ssh": their arguments and
// outputs are in the catalogue (docs/actions.md). Every path is cleaned and checked against the local policy
// (`files`); symbolic links on the server are not followed. Errors: policy, not_found, permission (also of the login,
// and {"host_key:unknown", ...} of a server that shows no pinned key), connection, changed, constraint (it exists
// already), disk_full, too_large, format (the server speaks nonsense), timeout, cancelled, invalid; and
// {"in_doubt", ...} when a change was not answered.
// ssh.run@1: a command that the local policy has for the connection (`commands`), as one line in which the server's
// shell finds each argument quoted. Errors as of command.run@1; {"in_doubt", ...} for all that ends it after its start
// and is no exit of its own, because nobody can know whether it goes on.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

}  // namespace sallyport::connectors::ssh
