#pragma once

#include "shared/crypto/certificate_draft.h"
#include "tests/support/pki.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Certificates of agents that no deployment would make, signed by the real issuers all the same.
namespace sallyport::test {

// What a forged leaf says; the defaults make a valid agent of `issuer`.
struct Plan {
  std::vector<crypto::AltName> names;
  int extended_usage = NID_client_auth;                      // 0 = no such extension
  std::vector<int> key_usage{crypto::kDigitalSignatureBit};  // empty = no such extension
  std::chrono::hours from{-1};
  std::chrono::hours until{24};
  std::optional<long> authority;  // CA:TRUE with this path length
};

inline std::vector<crypto::AltName> uri(std::string text) { return {{crypto::AltName::Kind::uri, std::move(text)}}; }

class Forge {
 public:
  explicit Forge(const Clock& clock)
      : clock_(clock),
        pki(clock),
        other_org(must(crypto::make_issuing_ca(pki.root, pki.trust_domain, stranger, clock))) {}

  crypto::Certificate leaf(const Plan& plan, const crypto::Authority& issuer) const {
    return sign(draft(plan), issuer.key, &issuer.certificate);
  }
  crypto::Certificate self_signed(const Plan& plan) const { return sign(draft(plan), key, nullptr); }
  // Valid but for what `spoil` changes.
  std::vector<crypto::Certificate> spoilt(const std::function<void(Plan&)>& spoil) const {
    auto plan = good();
    spoil(plan);
    return {leaf(plan, pki.issuer), pki.issuer.certificate};
  }
  std::vector<crypto::Certificate> named(std::vector<crypto::AltName> names) const {
    return spoilt([&](Plan& plan) { plan.names = names; });
  }
  Plan good() const {
    Plan plan;
    plan.names = uri(id());
    return plan;
  }
  std::string id(std::string_view host = "relay.test") const { return "spiffe://" + std::string(host) + path(); }
  std::string path() const { return "/org/" + pki.org.value + "/agent/" + agent.value; }

 private:
  const Clock& clock_;

  crypto::CertificateDraft draft(const Plan& plan) const {
    crypto::CertificateDraft draft;
    draft.subject("", "forged").valid(clock_.wall() + plan.from, clock_.wall() + plan.until).public_key(key.native());
    if (plan.authority) draft.authority(*plan.authority);
    if (!plan.authority) draft.end_entity();
    if (!plan.key_usage.empty()) draft.key_usage(plan.key_usage);
    if (plan.extended_usage != 0) draft.extended_usage(plan.extended_usage);
    if (!plan.names.empty()) draft.alt_names(plan.names);
    return draft;
  }
  static crypto::Certificate sign(crypto::CertificateDraft draft, const crypto::PrivateKey& by,
                                  const crypto::Certificate* issuer) {
    return must(draft.sign(by.native(), issuer));
  }

 public:
  Pki pki;
  OrgId stranger = crypto::new_id<OrgId>(clock_);
  crypto::Authority other_org;
  AgentId agent = crypto::new_id<AgentId>(clock_);
  crypto::PrivateKey key = must(crypto::PrivateKey::generate());
};

}  // namespace sallyport::test
