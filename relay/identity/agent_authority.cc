#include "relay/identity/agent_authority.h"

namespace sallyport::identity {
namespace {

using boost::asio::awaitable;

keys::RecordIdentity key_record(const OrgId& org) { return {org, "issuing_cas", "private_key", org.value}; }

Result<crypto::Authority> root_authority(const Deployment& deployment) {
  if (!deployment.root_key) {
    return fail(Errc::unavailable, "the root key is offline: put root.key back to make or renew an issuing CA");
  }
  SP_TRY(auto key, crypto::PrivateKey::from_pem(deployment.root_key->to_pem()));
  return crypto::Authority{deployment.root, std::move(key)};
}

store::NewCertificate row_of(const crypto::Certificate& certificate, const crypto::Certificate& root, WallTime now) {
  const auto pin = root.key_pin();
  return {store::Serial(certificate.serial()), now, certificate.not_after(), Bytes(pin.begin(), pin.end())};
}

// The root that signed the issuing CA; nullptr when it is none of this deployment's.
const crypto::Certificate* root_above(const crypto::Certificate& issuer, const Deployment& deployment) {
  if (issuer.signed_by(deployment.root)) return &deployment.root;
  const auto& before = deployment.predecessor;
  return before && issuer.signed_by(before->root) ? &before->root : nullptr;
}

}  // namespace

awaitable<Result<IssuedCertificate>> AgentAuthority::issue(OrgId org, AgentId agent, crypto::SigningRequest request,
                                                           std::chrono::seconds lifetime) {
  SP_CO_TRY(const auto issuer, co_await authority_of(org));
  const crypto::SpiffeId id{deployment_.trust_domain, org, agent};
  SP_CO_TRY(auto certificate, crypto::issue_agent_certificate(issuer, request, id, lifetime, clock_));
  const auto* root = root_above(issuer.certificate, deployment_);
  if (root == nullptr) co_return fail(Errc::unavailable, "the root was retired meanwhile; try again");
  auto row = row_of(certificate, *root, clock_.wall());
  co_return IssuedCertificate{std::move(certificate), {issuer.certificate}, std::move(row)};
}

std::optional<Succession> AgentAuthority::succession() const {
  if (!deployment_.predecessor) return std::nullopt;
  return Succession{deployment_.root, *deployment_.predecessor};
}

// One organisation's key that is not there keeps nobody else: any other that opens is the proof.
awaitable<Result<bool>> AgentAuthority::prove_keys(Readable readable) {
  SP_CO_TRY(const auto all, co_await cas_.load_all());
  std::optional<Error> wrong;
  for (const auto& ca : all) {
    if (readable && !readable(ca.org)) continue;
    SP_CO_TRY(auto found, co_await cas_.find(ca.org));
    auto opened = co_await open_key(found.org, std::move(found.sealed_private_key));
    if (opened) co_return true;
    if (!wrong && opened.error().code != Errc::not_found) wrong = std::move(opened).error();
  }
  if (wrong) co_return std::unexpected(*std::move(wrong));
  co_return false;
}

awaitable<Result<bool>> AgentAuthority::signs_for_present_root(OrgId org) {
  SP_CO_TRY(const auto found, co_await cas_.find(std::move(org)));
  SP_CO_TRY(const auto certificate, crypto::Certificate::from_der(found.certificate_der));
  co_return certificate.signed_by(deployment_.root);
}

awaitable<Result<store::IssuingCa>> AgentAuthority::stored(OrgId org) {
  auto found = co_await cas_.find(org);
  if (found || found.error().code != Errc::not_found) co_return found;
  SP_CO_CHECK(co_await make_authority(org));
  co_return co_await cas_.find(std::move(org));
}

awaitable<Result<crypto::Authority>> AgentAuthority::authority_of(OrgId org) {
  for (bool replaced = false;; replaced = true) {
    SP_CO_TRY(auto found, co_await stored(org));
    SP_CO_TRY(auto certificate, crypto::Certificate::from_der(found.certificate_der));
    if (root_above(certificate, deployment_) == nullptr) {
      co_return fail(
          Errc::internal,
          "the organisation's issuing CA is not of this deployment's root: it is renewed when the relay starts with "
          "root.key in place");
    }
    auto key = co_await open_key(org, std::move(found.sealed_private_key));
    if (key) co_return crypto::Authority{std::move(certificate), *std::move(key)};
    // Only what is gone for good is not_found: a key that cannot be had for now makes no new CA.
    if (key.error().code != Errc::not_found || replaced) co_return std::unexpected(std::move(key).error());
    SP_CO_CHECK(co_await replace_lost(org, std::move(certificate), std::move(key).error().message));
  }
}

awaitable<Result<void>> AgentAuthority::replace_lost(OrgId org, crypto::Certificate present, std::string why) {
  store::AuditNote<> note;
  if (reports_) {
    AuditRecord record{.actor = "system", .action = "issuing_ca.renew", .target = "organisation:" + org.value};
    record.detail.emplace("old_serial", present.serial());
    record.detail.emplace("reason", "the key of the one before was lost");
    note = reports_->audit.note<>(org, std::move(record));
  }
  auto renewed = co_await renew(org, std::move(present), std::move(note));
  if (!renewed && renewed.error().code == Errc::conflict) co_return Result<void>();  // somebody else was first
  if (!renewed) co_return in_context("the key of the issuing CA is lost (" + why + ")", std::move(renewed).error());
  if (reports_) {
    reports_->log.warn("certificate.renewed", {{"certificate", "issuing CA"}, {"org", org.value}, {"reason", why}});
  }
  co_return Result<void>();
}

awaitable<Result<crypto::PrivateKey>> AgentAuthority::open_key(OrgId org, Bytes sealed) {
  SP_CO_TRY(const auto pem, co_await envelope_.open(key_record(org), sealed));
  co_return crypto::PrivateKey::from_pem(pem);
}

awaitable<Result<store::IssuingCa>> AgentAuthority::fresh_authority(OrgId org) {
  SP_CO_TRY(const auto root, root_authority(deployment_));
  SP_CO_TRY(const auto made, crypto::make_issuing_ca(root, deployment_.trust_domain, org, clock_));
  const auto pem = made.key.to_pem();
  SP_CO_TRY(auto sealed, co_await envelope_.seal(key_record(org), as_bytes(pem.reveal())));
  co_return store::IssuingCa{org, made.certificate.der(), std::move(sealed), clock_.wall(),
                             made.certificate.not_after()};
}

awaitable<Result<void>> AgentAuthority::renew(OrgId org, crypto::Certificate present, store::AuditNote<> note) {
  SP_CO_TRY(auto row, co_await fresh_authority(org));
  co_return co_await cas_.replace(org, present.der(), std::move(row), std::move(note));
}

awaitable<Result<void>> AgentAuthority::make_authority(OrgId org) {
  SP_CO_TRY(auto row, co_await fresh_authority(org));
  auto added = co_await cas_.add(org, std::move(row));
  // Somebody else was first: theirs is as good.
  if (!added && added.error().code != Errc::conflict) co_return std::unexpected(std::move(added).error());
  co_return Result<void>();
}

}  // namespace sallyport::identity
