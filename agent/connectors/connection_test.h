#pragma once

#include "agent/findings/finding.h"
#include "agent/policy/connections.h"
#include "shared/base/clock.h"

#include <string_view>

namespace sallyport::connectors {

// What lies between this machine and one configured system (`sallyport-agent connection test`), in the order in which a
// step meets it. Checks are "client" (a library that this machine needs), "dns", "tcp", "tls" (with the certificate
// that was shown: certificate/shown.h) or "host_key", "login" and "permission"; those that do not apply to the kind are
// left out, and the first that is bad ends the test. A login with more power than steps need is a note. Nothing is
// changed there. For the operator at this machine: texts name settings and addresses, never a secret.
class ConnectionTest {
 public:
  virtual ~ConnectionTest() = default;
  virtual std::string_view kind() const = 0;  // as in connections.yaml
  // Blocks; ends about when the deadline passes. Never fails: what is wrong is a finding.
  virtual findings::Findings run(const policy::Connection& connection, SteadyTime deadline) = 0;
};

}  // namespace sallyport::connectors
