#pragma once

#include "relay/audit/audit.h"
#include "relay/identity/deployment.h"
#include "relay/keys/envelope.h"
#include "relay/store/certificates.h"
#include "shared/base/log.h"

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
// signing until they are renewed. One whose key is gone for good, with the key that it was sealed under, is replaced.
// Holds no mutable state; everything handed in outlives it.
class AgentAuthority {
 public:
  // Who hears of a CA that was replaced.
  struct Reports {
    Audit& audit;
    const Log& log;
  };
  AgentAuthority(const Deployment& deployment, store::IssuingCas& cas, keys::Envelope& envelope, const Clock& clock,
                 std::optional<Reports> reports = {})
      : deployment_(deployment), cas_(cas), envelope_(envelope), clock_(clock), reports_(reports) {}

  // Nothing is stored besides a new issuing CA: the caller stores `row` with the agent. `request` has been verified.
  // unavailable: the organisation has no issuing CA yet and the root key is offline.
  boost::asio::awaitable<Result<IssuedCertificate>> issue(OrgId org, AgentId agent, crypto::SigningRequest request,
                                                          std::chrono::seconds lifetime = crypto::kAgentLifetime);

  // Fails when what is sealed in the database does not open, because the keys are others. Opens issuing CAs, of
  // whatever root, until one does; where there is none yet, nothing that matters is sealed. Of an organisation whose
  // own key is away now (not `readable`), or whose key was lost and given up, it proves nothing; false: there is no
  // other.
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
  boost::asio::awaitable<Result<store::IssuingCa>> stored(OrgId org);
  boost::asio::awaitable<Result<void>> replace_lost(OrgId org, crypto::Certificate present, std::string why);
  boost::asio::awaitable<Result<crypto::PrivateKey>> open_key(OrgId org, Bytes sealed);
  boost::asio::awaitable<Result<void>> make_authority(OrgId org);
  boost::asio::awaitable<Result<store::IssuingCa>> fresh_authority(OrgId org);

  const Deployment& deployment_;
  store::IssuingCas& cas_;
  keys::Envelope& envelope_;
  const Clock& clock_;
  std::optional<Reports> reports_;
};

}  // namespace sallyport::identity
