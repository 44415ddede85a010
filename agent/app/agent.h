#pragma once

#include "agent/link/identity.h"
#include "agent/link/way_choice.h"
#include "agent/link/websocket.h"
#include "agent/policy/config.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/redactor.h"
#include "shared/base/result.h"

#include <string>

namespace sallyport::app {

// Runs the enrolled agent until SIGTERM or SIGINT, then drains: takes no new job, lets running steps end or stops them
// at the deadline, tells the relay. Builds the whole graph of objects; the only place that names concrete classes.
// Errors say what is missing or wrong and what to do: not enrolled, state directory in use, journal damaged.
// `redactor`: what the log writes through, if anything.
Result<void> run_agent(const policy::Config& config, const Clock& clock, const Log& log, Redactor& redactor);

// Trades an enrolment string for an identity and keeps it in the state directory. Where there is one already, it gets
// its next certificate by a string that was made for it, whatever became of the one before; conflict when the string is
// not for it, or an agent runs on the state directory.
Result<std::string> enrol_agent(const policy::Config& config, std::string enrolment_string, const Clock& clock);

// The fingerprint of the agent's newest sealing key, for people to compare (docs/operations/system-keys.md).
// not_found: it has none yet.
Result<std::string> sealing_key_fingerprint(const policy::Config& config);
// Makes the next one, which the agent offers when it links. conflict: an agent runs on the state directory.
Result<std::string> renew_sealing_key(const policy::Config& config, const Clock& clock);

// `relay` of agent.yaml goes before the address learnt at enrolment.
agent::Endpoint relay_address(const policy::Config& config, const agent::Identity& identity);

// `link.via` and `link.web` of agent.yaml; without `web` what was learnt at enrolment, and without that the relay
// itself.
agent::Via via_of(const policy::LinkConfig& link);
Result<agent::WebAddress> web_address(const policy::Config& config, const agent::Identity& identity);

// What a proxy setting of agent.yaml means to the dialer: a URL, "none", or "" for the environment.
Result<std::string> proxy_text(const policy::ProxyConfig& proxy);

}  // namespace sallyport::app
