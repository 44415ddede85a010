#pragma once

#include "agent/findings/finding.h"
#include "agent/policy/config.h"
#include "shared/base/clock.h"

#include <string>

namespace sallyport::app {

// Looks at everything that an agent with the configuration in `directory` needs, from its files to the relay and the
// systems it works with. Changes nothing. While no agent runs it also links once, as the agent would; while one runs it
// asks that one instead. Blocks, half a minute or so; longer with many connections that do not answer.
findings::Report examine(const std::string& directory, const Clock& clock);

// Everything between this machine and one connection of connections.yaml. Changes nothing, and needs neither the relay
// nor an identity. Blocks for half a minute at most. Errors: not_found, with the names that there are.
Result<findings::Report> examine_connection(const policy::Config& config, const std::string& name, const Clock& clock);

// Of the system keys that the configuration names, those that this agent has not or cannot open; or why nobody can
// tell, as before it is enrolled. Changes nothing.
findings::Findings examine_system_keys(const policy::Config& config, const Clock& clock);

}  // namespace sallyport::app
