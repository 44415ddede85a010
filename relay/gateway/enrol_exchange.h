#pragma once

#include "relay/identity/enrolment.h"
#include "shared/base/log.h"
#include "shared/tls/secure_stream.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace sallyport::gateway {

// Who comes to enrol, as far as the connection tells.
struct Enroller {
  std::string address;  // for people
  std::string source;   // as source_of() says
};

struct EnrolmentDesk {
  identity::Enrolments& enrolments;
  const Log& log;
  std::chrono::milliseconds time_to_ask;
  // Called before the answer: whatever is linked as this agent is an old copy of its identity from now on.
  std::function<void(const OrgId&, const AgentId&)> on_again;
};

// One enrolment over a fresh TLS session without client certificate: one request, one answer, end (docs/protocol.md).
// Everything the caller sends is bounded, and so is the time it takes; its request has to come within `time_to_ask`,
// for nothing has been proved before and a place is held.
boost::asio::awaitable<void> serve_enrolment(std::unique_ptr<tls::SecureStream> stream, Enroller who,
                                             EnrolmentDesk desk);

}  // namespace sallyport::gateway
