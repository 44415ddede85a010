#include "relay/identity/renewal.h"

#include <algorithm>

namespace sallyport::identity {

using boost::asio::awaitable;

namespace {

AuditRecord audit_record(const tls::PeerIdentity& peer) {
  const auto name = "agent:" + peer.id.agent.value;
  AuditRecord record{.actor = name, .action = "certificate.renew", .target = name};
  record.detail.emplace("old_serial", peer.serial);
  return record;
}

// A link may be older than the certificate that its agent holds by now, and its root with it.
bool may_trust(const tls::PeerIdentity& peer, const std::vector<store::Certificate>& held, const crypto::Digest& root) {
  return peer.root == root ||
         std::ranges::any_of(held, [&](const auto& row) { return std::ranges::equal(row.root_pin, root); });
}

}  // namespace

awaitable<Result<bool>> Renewals::leads_to_root(tls::PeerIdentity peer) {
  if (peer.root == authority_.root().key_pin()) co_return false;
  co_return co_await authority_.signs_for_present_root(peer.id.org);
}

// An agent takes a new root from nobody but the one it trusts.
Result<void> Renewals::lead_to_root(IssuedCertificate& issued, const tls::PeerIdentity& peer,
                                    const std::vector<store::Certificate>& held) const {
  if (std::ranges::equal(issued.row.root_pin, peer.root)) return {};
  issued.succession = authority_.succession();
  if (issued.succession && may_trust(peer, held, issued.succession->before.root.key_pin())) return {};
  issued.succession.reset();
  if (may_trust(peer, held, authority_.root().key_pin())) return {};
  return fail(Errc::unavailable,
              "the root of the agent's certificate was retired: make an enrolment token for this agent, and enrol it "
              "again");
}

awaitable<Result<IssuedCertificate>> Renewals::renew(tls::PeerIdentity peer, Bytes csr_der) {
  auto issued = co_await issue(peer, std::move(csr_der));
  if (!issued) co_await audit_refusal(std::move(peer), issued.error());
  co_return issued;
}

// An agent that asks again and again must not fill the ledger.
awaitable<void> Renewals::audit_refusal(tls::PeerIdentity peer, Error why) {
  const auto unsaid = repeated_.turn_of(peer.serial, to_string(why.code));
  if (!unsaid) co_return;
  auto record = audit_record(peer);
  record.outcome = why.code == Errc::unavailable ? AuditOutcome::failed : AuditOutcome::refused;
  record.detail.emplace("reason", std::move(why.message));
  if (*unsaid > 0) record.detail.emplace("unsaid", *unsaid);
  static_cast<void>(co_await audit_.record(peer.id.org, std::move(record)));  // there is no certificate either way
}

awaitable<Result<IssuedCertificate>> Renewals::issue(tls::PeerIdentity peer, Bytes csr_der) {
  SP_CO_TRY(auto request, crypto::SigningRequest::from_der(csr_der));
  if (crypto::sha256(request.public_key_der()) == peer.key) {
    co_return fail(Errc::invalid, "a renewed certificate needs a new key");
  }
  SP_CO_TRY(const auto held, co_await certificates_.of_agent(peer.id.org, peer.id.agent));
  const auto now = clock_.wall();
  const auto valid = std::ranges::count_if(held, [&](const auto& row) { return row.not_after > now; });
  if (static_cast<std::size_t>(valid) >= kMostValidCertificates) {
    co_return fail(Errc::exhausted, "the agent has too many valid certificates; wait until some have expired");
  }
  SP_CO_TRY(auto issued, co_await authority_.issue(peer.id.org, peer.id.agent, std::move(request)));
  SP_CO_CHECK(lead_to_root(issued, peer, held));
  auto record = audit_record(peer);
  record.detail.emplace("serial", issued.certificate.serial());
  auto note = audit_.note<>(peer.id.org, std::move(record));
  SP_CO_CHECK(co_await certificates_.add(peer.id.org, peer.id.agent, issued.row, std::move(note)));
  co_return issued;
}

}  // namespace sallyport::identity
