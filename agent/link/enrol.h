#pragma once

#include "agent/link/dialer.h"
#include "agent/link/identity.h"
#include "agent/link/ways.h"
#include "shared/async/byte_stream.h"
#include "shared/base/clock.h"
#include "shared/crypto/enrolment_string.h"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>

namespace sallyport::v1 {
class EnrolResponse;
}

namespace sallyport::agent {

struct EnrolSettings {
  std::string hostname;
  std::string software;
  std::optional<crypto::SpiffeId> already = {};  // who this agent is: it wants a new certificate, and to stay that
};

// Trades an enrolment string for an identity (docs/protocol.md P7): expired strings and a relay whose root does not
// match the pin are refused before anything is sent. The secret never travels. The caller installs the result in its
// store. conflict: the string is not for the agent that this is already.
boost::asio::awaitable<Result<Identity>> enrol(std::string enrolment_string, EnrolSettings settings,
                                               const Dialer& dialer, const Clock& clock, SteadyTime deadline);

// The same by whichever way leads to the relay; the web API is the one that the string names, else the relay's address.
boost::asio::awaitable<Result<Identity>> enrol(std::string enrolment_string, EnrolSettings settings, Ways& ways,
                                               const Clock& clock, SteadyTime deadline);

// The exchange alone, over a stream whose other end is known to be the relay; `exporter` is the TLS session's. The
// arguments by reference must outlive it.
boost::asio::awaitable<Result<Identity>> enrol_over(ByteStream& stream, const crypto::EnrolmentString& parts,
                                                    EnrolSettings settings, Bytes exporter);

// The error of an enrolment that came to nothing after the relay was asked. What an agent that was there already has to
// know besides: that its old certificate may be of no use any more.
Error after_asking(Error error, const std::optional<crypto::SpiffeId>& already);

// What the agent makes of the relay's answer; `key` is the one the request was for.
Result<Identity> accept_enrolment(const v1::EnrolResponse& response, const crypto::EnrolmentString& parts,
                                  crypto::PrivateKey key);

}  // namespace sallyport::agent
