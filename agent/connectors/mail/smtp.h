#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/call_limits.h"
#include "agent/policy/connections.h"
#include "agent/vault/vault.h"

#include <string>
#include <vector>

namespace sallyport::connectors::mail {

struct Envelope {
  std::string from;
  std::vector<std::string> to;
};

// Hands one message to the server, by libcurl, on a connection of its own; all recipients or none. An error of
// `message` ends it before the server takes anything. Errors: "smtp:NNN" with constraint, permission, too_large,
// invalid or connection (4NN: later again); "in_doubt" when the message was whole and the server's answer did not come,
// also by the limits. The text is for the agent's log.
StepResult<void> send(const policy::SmtpConnection& settings, const vault::Vault& vault, const Envelope& envelope,
                      ByteReader& message, const CallLimits& limits);

// What send() does before the first word of a mail.
struct Greeting {
  bool secured;  // as the settings say; false: that is what failed
  StepResult<void> result;
};
Greeting greet(const policy::SmtpConnection& settings, const vault::Vault& vault, const CallLimits& limits);

// A reply code of the server as an error (RFC 5321 section 4.2.3). What it says besides may quote addresses: not used.
StepError reply_error(long code, std::string_view doing);

}  // namespace sallyport::connectors::mail
