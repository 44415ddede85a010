#pragma once

#include "relay/identity/enrolment.h"
#include "shared/base/log.h"
#include "shared/tls/secure_stream.h"

#include <chrono>

namespace sallyport::gateway {

// One enrolment over a fresh TLS session without client certificate: one request, one answer, end (docs/protocol.md).
// Everything the caller sends is bounded, and so is the time it takes; its request has to come within `time_to_ask`,
// for nothing has been proved before and a place is held.
boost::asio::awaitable<void> serve_enrolment(std::unique_ptr<tls::SecureStream> stream, std::string address,
                                             identity::Enrolments& enrolments, const Log& log,
                                             std::chrono::milliseconds time_to_ask);

}  // namespace sallyport::gateway
