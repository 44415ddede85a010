#pragma once

#include "agent/connectors/ssh/session.h"

namespace sallyport::connectors::ssh {

// Offers what the connection has, in the order private key, password, keyboard-interactive, as far as the server takes
// it, until it is satisfied; a server may want more than one. Errors: permission, invalid (a key that cannot be read),
// and those of a session.
StepResult<void> log_in(Session& session, const policy::SshConnection& settings, const vault::Vault& vault,
                        const CallLimits& limits);

}  // namespace sallyport::connectors::ssh
