#pragma once

#include "relay/audit/audit.h"
#include "relay/audit/repeated_refusals.h"
#include "relay/store/agents.h"
#include "relay/store/certificates.h"
#include "shared/tls/peer_identity.h"

#include <expected>

namespace sallyport::identity {

// The last question to a link that passed the handshake: does this relay know the certificate, and is it still good?
class Admissions {
 public:
  Admissions(store::Agents& agents, store::Certificates& certificates, Audit& audit, const Clock& clock)
      : agents_(agents), certificates_(certificates), audit_(audit), repeated_(clock) {}

  // Records that this generation has been used. Refusals: tls.unknown_serial, tls.revoked, tls.old_generation (a newer
  // certificate of the same agent has been used, so this is a copy of it). The first of a certificate is audited, as
  // agent.quarantine when it is a copy and as link.open otherwise, and then one every kAuditEvery, which says how many
  // were not (`unsaid`). When the store fails, the error has its code and the reason is tls.unavailable: the link is
  // refused, the agent may come back.
  boost::asio::awaitable<std::expected<store::Agent, tls::Refusal>> admit(tls::PeerIdentity peer);
  // A second process with a certificate that another one has in use was turned away. Audited as often as the above.
  boost::asio::awaitable<void> note_copy(const tls::PeerIdentity& peer, std::string address);
  // A certificate was shown whose time is over: the agent was away for too long. Audited as often as the above.
  boost::asio::awaitable<void> note_expired(tls::ShownAgent agent, std::string address);
  // The agent of a link says that it holds the certificate of this serial, which makes it the newest that was used: a
  // link may live long, and nobody could tell from it. What is not a newer certificate of this very agent is ignored.
  boost::asio::awaitable<Result<void>> confirm_installed(tls::PeerIdentity peer, std::string serial);

 private:
  struct Refused {
    std::string_view action;
    std::string_view reason;
    std::string address = {};  // "" when it is not known here
  };
  boost::asio::awaitable<void> audit_refusal(tls::ShownAgent agent, Refused refused);
  boost::asio::awaitable<std::expected<store::Agent, tls::Refusal>> judge(tls::PeerIdentity peer);

  store::Agents& agents_;
  store::Certificates& certificates_;
  Audit& audit_;
  RepeatedRefusals repeated_;
};

}  // namespace sallyport::identity
