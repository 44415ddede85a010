#pragma once

#include "relay/audit/audit.h"
#include "relay/audit/repeated_refusals.h"
#include "relay/identity/agent_authority.h"
#include "relay/store/certificates.h"
#include "shared/tls/peer_identity.h"

namespace sallyport::identity {

inline constexpr std::size_t kMostValidCertificates = 16;

// New certificates for linked agents. Everything handed in outlives it.
class Renewals {
 public:
  Renewals(AgentAuthority& authority, store::Certificates& certificates, Audit& audit, const Clock& clock)
      : authority_(authority), certificates_(certificates), audit_(audit), clock_(clock), repeated_(clock) {}

  // `peer` is the identity of the link the request came over. The new certificate has the next generation; the old one
  // stays valid until its end or until the new one has been used. A success is audited in the transaction that
  // stores the certificate; of refusals with one code the first of a certificate is, and then one every kAuditEvery,
  // which says how many were not (`unsaid`). invalid: the request is no good, or asks for the key that is in use;
  // forbidden: the agent has been revoked.
  // unavailable: all certificates of the agent are of roots that were retired, so it cannot be led to the present one.
  boost::asio::awaitable<Result<IssuedCertificate>> renew(tls::PeerIdentity peer, Bytes csr_der);
  // Whether a renewal now leads the agent to the present root, of which its certificate is not. While the
  // organisation's issuing CA cannot follow, for the root's key is offline, one would only be one certificate more.
  boost::asio::awaitable<Result<bool>> leads_to_root(tls::PeerIdentity peer);

 private:
  boost::asio::awaitable<Result<IssuedCertificate>> issue(tls::PeerIdentity peer, Bytes csr_der);
  boost::asio::awaitable<void> audit_refusal(tls::PeerIdentity peer, Error why);
  Result<void> lead_to_root(IssuedCertificate& issued, const tls::PeerIdentity& peer,
                            const std::vector<store::Certificate>& held) const;

  AgentAuthority& authority_;
  store::Certificates& certificates_;
  Audit& audit_;
  const Clock& clock_;
  RepeatedRefusals repeated_;
};

}  // namespace sallyport::identity
