#include "shared/crypto/ca.h"

#include "shared/crypto/certificate_draft.h"

#include <algorithm>
#include <array>

namespace sallyport::crypto {
namespace {

constexpr std::array kSigningUsage{kCertificateSigningBit, kCrlSigningBit};
constexpr std::array kSessionUsage{kDigitalSignatureBit};

struct Validity {
  WallTime from;
  WallTime until;
};

Validity validity(std::chrono::seconds lifetime, const Clock& clock) {
  const auto now = clock.wall();
  return {now - kBackdating, now + lifetime};
}

// No certificate is good for longer than the one above it.
Result<Validity> validity_below(const Certificate& issuer, std::chrono::seconds lifetime, const Clock& clock) {
  auto wanted = validity(lifetime, clock);
  wanted.from = std::max(wanted.from, issuer.not_before());
  wanted.until = std::min(wanted.until, issuer.not_after());
  if (wanted.until <= clock.wall())
    return fail(Errc::unavailable, "the issuing certificate \"" + issuer.subject() + "\" has expired");
  return wanted;
}

Result<AltName> server_name(std::string name) {
  const bool v6 = name.find(':') != std::string::npos;
  const bool v4 = !v6 && name.find_first_not_of("0123456789.") == std::string::npos;
  if (v6 || v4) return AltName{AltName::Kind::ip, std::move(name)};
  if (!is_trust_domain(name)) {
    return fail(Errc::invalid, "\"" + name + "\" is neither an IP address nor a lower-case DNS name");
  }
  return AltName{AltName::Kind::dns, std::move(name)};
}

bool is_same_subject(const Certificate& a, const Certificate& b) {
  return X509_NAME_cmp(X509_get_subject_name(a.native()), X509_get_subject_name(b.native())) == 0;
}

bool is_same_key(const Certificate& a, const Certificate& b) { return a.public_key_der() == b.public_key_der(); }

bool is_root(const Certificate& certificate) {
  return certificate.ca() && certificate.allows_certificate_signing() && certificate.signed_by(certificate);
}

Result<void> check_different(const Certificate& old_root, const Certificate& root) {
  if (!is_root(old_root) || !is_root(root))
    return fail(Errc::invalid, "one of the two roots is not a root certificate");
  if (is_same_subject(old_root, root)) return fail(Errc::invalid, "the new root has the name of the old one");
  if (is_same_key(old_root, root)) return fail(Errc::invalid, "the new root has the key of the old one");
  return {};
}

Result<void> check_valid(const Certificate& certificate, WallTime now) {
  if (now > certificate.not_after()) return fail(Errc::invalid, "\"" + certificate.subject() + "\" has expired");
  if (now < certificate.not_before()) return fail(Errc::invalid, "\"" + certificate.subject() + "\" is not valid yet");
  return {};
}

}  // namespace

Result<Certificate> make_cross_certificate(const Authority& old_root, const Certificate& root, const Clock& clock) {
  SP_CHECK(check_different(old_root.certificate, root));
  SP_TRY(auto when, validity_below(old_root.certificate, kRootLifetime, clock));
  when.until = std::min(when.until, root.not_after());
  CertificateDraft draft;
  draft.subject("", root.common_name()).valid(when.from, when.until).public_key(X509_get0_pubkey(root.native()));
  draft.authority(0).key_usage(kSigningUsage);
  SP_TRY(auto cross, draft.sign(old_root.key.native(), &old_root.certificate));
  SP_CHECK(check_succession({old_root.certificate, cross}, root));
  return cross;
}

Result<void> check_succession(const Predecessor& before, const Certificate& root) {
  const auto& cross = before.cross;
  SP_CHECK(check_different(before.root, root));
  const auto constraint = cross.ca();
  if (!constraint || constraint->path_length != 0 || !cross.allows_certificate_signing())
    return fail(Errc::invalid, "the cross certificate is not a CA's with a path length of 0");
  if (!is_same_subject(cross, root)) return fail(Errc::invalid, "the cross certificate is for another name");
  if (!is_same_key(cross, root)) return fail(Errc::invalid, "the cross certificate is for another key");
  if (!cross.signed_by(before.root)) return fail(Errc::invalid, "the cross certificate is not signed by the old root");
  return {};
}

Result<void> check_succession(const Predecessor& before, const Certificate& root, WallTime now) {
  SP_CHECK(check_succession(before, root));
  for (const auto* certificate : {&before.root, &before.cross, &root}) SP_CHECK(check_valid(*certificate, now));
  return {};
}

Result<Authority> make_root(std::string_view name, const Clock& clock) {
  SP_TRY(auto key, PrivateKey::generate());
  const auto when = validity(kRootLifetime, clock);
  CertificateDraft draft;
  draft.subject("", name).valid(when.from, when.until).public_key(key.native());
  draft.authority(1).key_usage(kSigningUsage);
  SP_TRY(auto certificate, draft.sign(key.native(), nullptr));
  return Authority{std::move(certificate), std::move(key)};
}

Result<ServerCertificate> make_server_certificate(const Authority& root, std::vector<std::string> names,
                                                  const Clock& clock) {
  if (names.empty()) return fail(Errc::invalid, "a server certificate needs at least one DNS name or IP address");
  std::vector<AltName> alt_names;
  for (auto& name : names) {
    SP_TRY(auto alt, server_name(std::move(name)));
    alt_names.push_back(std::move(alt));
  }
  SP_TRY(const auto when, validity_below(root.certificate, kServerLifetime, clock));
  SP_TRY(auto key, PrivateKey::generate());
  CertificateDraft draft;
  draft.subject("", alt_names.front().text.substr(0, 64)).valid(when.from, when.until).public_key(key.native());
  draft.end_entity().key_usage(kSessionUsage).extended_usage(NID_server_auth).alt_names(alt_names);
  SP_TRY(auto certificate, draft.sign(root.key.native(), &root.certificate));
  return ServerCertificate{std::move(certificate), std::move(key)};
}

Result<Authority> make_issuing_ca(const Authority& root, std::string_view trust_domain, const OrgId& org,
                                  const Clock& clock) {
  if (!is_trust_domain(trust_domain)) return fail(Errc::invalid, "the trust domain is malformed");
  SP_TRY(const auto when, validity_below(root.certificate, kIssuingCaLifetime, clock));
  SP_TRY(auto key, PrivateKey::generate());
  CertificateDraft draft;
  draft.subject(org.value, "Sallyport agents").valid(when.from, when.until).public_key(key.native());
  draft.authority(0).key_usage(kSigningUsage).extended_usage(NID_client_auth).permit_uri_host(trust_domain);
  SP_TRY(auto certificate, draft.sign(root.key.native(), &root.certificate));
  return Authority{std::move(certificate), std::move(key)};
}

Result<Certificate> issue_agent_certificate(const Authority& issuer, const SigningRequest& request, const SpiffeId& id,
                                            std::chrono::seconds lifetime, const Clock& clock) {
  const auto uri = to_string(id);
  SP_CHECK(parse_spiffe_id(uri));
  if (issuer.certificate.organisation_name() != id.org.value) {
    return fail(Errc::forbidden, "the issuing CA belongs to another organisation than the agent");
  }
  if (lifetime < kShortestAgentLifetime || lifetime > kAgentLifetime) {
    return fail(Errc::invalid, "an agent's certificate lives between 1 hour and 30 days");
  }
  SP_TRY(const auto when, validity_below(issuer.certificate, lifetime, clock));
  const std::array names{AltName{AltName::Kind::uri, uri}};
  CertificateDraft draft;
  draft.subject("", id.agent.value).valid(when.from, when.until).public_key(request.native_key());
  draft.end_entity().key_usage(kSessionUsage).extended_usage(NID_client_auth).alt_names(names);
  return draft.sign(issuer.key.native(), &issuer.certificate);
}

}  // namespace sallyport::crypto
