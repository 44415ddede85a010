#pragma once

#include "relay/identity/deployment.h"
#include "relay/keys/envelope.h"
#include "relay/store/certificates.h"

#include <chrono>
#include <functional>
#include <vector>

namespace sallyport::identity {

// A root, and the word of the one before it.
struct Succession {
  crypto::Certificate root;
  Predecessor before;
};

struct IssuedCertificate {
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> chain;  // the issuing CA, without the root
  store::NewCertificate row;               // what the store keeps of it
  // For an agent whose present certificate is of the root before: how it comes to trust the one above this certificate.
  std::optional<Succession> succession = {};
};

// Signs agents' certificates. Each organisation has an issuing CA of its own, made on first use; its private key is
// stored sealed and is in memory only while it signs. After a switch of the root, issuing CAs of the old one go on
// signing until they are renewed. Holds no mutable state; everything handed in outlives it.
class AgentAuthority {
 public:
  AgentAuthority(const Deployment& deployment, store::IssuingCas& cas, keys::Envelope& envelope, const Clock& clock)
      : deployment_(deployment), cas_(cas), envelope_(envelope), clock_(clock) {}

  // Nothing is stored besides a new issuing CA: the caller stores `row` with the agent. `request` has been verified.
  // unavailable: the organisation has no issuing CA yet and the root key is offline.
  boost::asio::awaitable<Result<IssuedCertificate>> issue(OrgId org, AgentId agent, crypto::SigningRequest request,
                                                          std::chrono::seconds lifetime = crypto::kAgentLifetime);

  // Fails when what is sealed in the database does not open, because the master key is another one. Opens one
  // organisation's issuing CA, of whatever root; where there is none yet, nothing that matters is sealed.
  // An organisation whose own key is away now (not `readable`) proves nothing; false: there is no other.
  using Readable = std::function<bool(const OrgId&)>;
  boost::asio::awaitable<Result<bool>> prove_keys(Readable readable = {});
  // A new issuing CA in the place of `present`, which signs no more. Certificates that it signed stay good, for both
  // chain to a root that is trusted. conflict: it has been replaced already. unavailable: the root key is offline.
  boost::asio::awaitable<Result<void>> renew(OrgId org, crypto::Certificate present, store::AuditNote<> note = {});

  // Whether what issue() makes now is of the present root. unavailable, not_found: the issuing CA cannot be looked at.
  boost::asio::awaitable<Result<bool>> signs_for_present_root(OrgId org);

  const crypto::Certificate& root() const { return deployment_.root; }
  // While a root takes over from another.
  std::optional<Succession> succession() const;
  const std::string& trust_domain() const { return deployment_.trust_domain; }

 private:
  boost::asio::awaitable<Result<crypto::Authority>> authority_of(OrgId org);
  boost::asio::awaitable<Result<crypto::PrivateKey>> open_key(OrgId org, Bytes sealed);
  boost::asio::awaitable<Result<void>> make_authority(OrgId org);
  boost::asio::awaitable<Result<store::IssuingCa>> fresh_authority(OrgId org);

  const Deployment& deployment_;
  store::IssuingCas& cas_;
  keys::Envelope& envelope_;
  const Clock& clock_;
};

}  // namespace sallyport::identity
