#pragma once

#include "agent/policy/config.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <string>

// What people do with the identity of an agent and with its sealing keys.
namespace sallyport::app {

// Trades an enrolment string for an identity and keeps it in the state directory. Where there is one already, it gets
// its next certificate by a string that was made for it, whatever became of the one before; conflict when the string is
// not for it, or an agent runs on the state directory.
Result<std::string> enrol_agent(const policy::Config& config, std::string enrolment_string, const Clock& clock);

// The fingerprint of the agent's newest sealing key, for people to compare (docs/operations/system-keys.md).
// not_found: it has none yet.
Result<std::string> sealing_key_fingerprint(const policy::Config& config);
// Makes the next one, which the agent offers when it links. conflict: an agent runs on the state directory.
Result<std::string> renew_sealing_key(const policy::Config& config, const Clock& clock);

}  // namespace sallyport::app
