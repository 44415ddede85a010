#include "shared/crypto/certificate_draft.h"

#include <openssl/asn1.h>

#include <ctime>

namespace sallyport::crypto {
namespace {

constexpr int kSerialBits = 128;

using Constraints = std::unique_ptr<BASIC_CONSTRAINTS, FreeWith<BASIC_CONSTRAINTS_free>>;
using BitString = std::unique_ptr<ASN1_BIT_STRING, FreeWith<ASN1_BIT_STRING_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using Name = std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>>;
using Usages = std::unique_ptr<EXTENDED_KEY_USAGE, FreeWith<EXTENDED_KEY_USAGE_free>>;
using NameLimits = std::unique_ptr<NAME_CONSTRAINTS, FreeWith<NAME_CONSTRAINTS_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

std::time_t whole_seconds(WallTime at) { return static_cast<std::time_t>(unix_ms(at) / 1000); }

Name ia5_name(int type, std::string_view text) {
  auto* string = ASN1_IA5STRING_new();
  ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
  Name name(GENERAL_NAME_new());
  GENERAL_NAME_set0_value(name.get(), type, string);
  return name;
}

Name general_name(const AltName& alt) {
  switch (alt.kind) {
    case AltName::Kind::dns: return ia5_name(GEN_DNS, alt.text);
    case AltName::Kind::uri: return ia5_name(GEN_URI, alt.text);
    case AltName::Kind::email: return ia5_name(GEN_EMAIL, alt.text);
    case AltName::Kind::ip: break;
    case AltName::Kind::other: return nullptr;
  }
  auto* octets = a2i_IPADDRESS(alt.text.c_str());
  if (octets == nullptr) return nullptr;
  Name name(GENERAL_NAME_new());
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, octets);
  return name;
}

}  // namespace

CertificateDraft::CertificateDraft() : x509_(X509_new()) {
  const BignumOwner serial(BN_new());
  note(X509_set_version(x509_.get(), X509_VERSION_3));
  note(BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY));
  note(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x509_.get())) != nullptr);
}

CertificateDraft& CertificateDraft::subject(std::string_view organisation, std::string_view common_name) {
  auto* name = X509_get_subject_name(x509_.get());
  auto add = [&](int nid, std::string_view text) {
    if (text.empty()) return;
    note(X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, octets(as_bytes(text)), static_cast<int>(text.size()), -1,
                                    0));
  };
  add(NID_organizationName, organisation);
  add(NID_commonName, common_name);
  return *this;
}

CertificateDraft& CertificateDraft::valid(WallTime from, WallTime until) {
  note(ASN1_TIME_set(X509_getm_notBefore(x509_.get()), whole_seconds(from)) != nullptr);
  note(ASN1_TIME_set(X509_getm_notAfter(x509_.get()), whole_seconds(until)) != nullptr);
  return *this;
}

CertificateDraft& CertificateDraft::public_key(EVP_PKEY* key) {
  note(X509_set_pubkey(x509_.get(), key));
  return *this;
}

void CertificateDraft::add_extension(int nid, void* value, int critical) {
  note(value != nullptr && X509_add1_ext_i2d(x509_.get(), nid, value, critical, X509V3_ADD_APPEND) == 1);
}

CertificateDraft& CertificateDraft::end_entity() {
  const Constraints constraints(BASIC_CONSTRAINTS_new());
  add_extension(NID_basic_constraints, constraints.get(), 1);
  return *this;
}

CertificateDraft& CertificateDraft::authority(std::optional<long> path_length) {
  const Constraints constraints(BASIC_CONSTRAINTS_new());
  constraints->ca = 0xff;
  if (path_length) {
    constraints->pathlen = ASN1_INTEGER_new();
    note(ASN1_INTEGER_set(constraints->pathlen, *path_length));
  }
  add_extension(NID_basic_constraints, constraints.get(), 1);
  return *this;
}

CertificateDraft& CertificateDraft::key_usage(std::span<const int> bits) {
  const BitString usage(ASN1_BIT_STRING_new());
  for (int bit : bits) note(ASN1_BIT_STRING_set_bit(usage.get(), bit, 1));
  add_extension(NID_key_usage, usage.get(), 1);
  return *this;
}

CertificateDraft& CertificateDraft::extended_usage(int nid) {
  const Usages usages(EXTENDED_KEY_USAGE_new());
  note(sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(nid)) > 0);
  add_extension(NID_ext_key_usage, usages.get(), 0);
  return *this;
}

CertificateDraft& CertificateDraft::alt_names(std::span<const AltName> names) {
  const Names list(GENERAL_NAMES_new());
  for (const auto& alt : names) {
    auto* name = general_name(alt).release();
    const bool taken = name != nullptr && sk_GENERAL_NAME_push(list.get(), name) > 0;
    if (!taken) GENERAL_NAME_free(name);
    note(taken ? 1 : 0);
  }
  add_extension(NID_subject_alt_name, list.get(), 0);
  return *this;
}

CertificateDraft& CertificateDraft::permit_uri_host(std::string_view host) {
  const NameLimits limits(NAME_CONSTRAINTS_new());
  limits->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
  auto* subtree = GENERAL_SUBTREE_new();
  GENERAL_NAME_free(subtree->base);
  subtree->base = ia5_name(GEN_URI, host).release();
  note(sk_GENERAL_SUBTREE_push(limits->permittedSubtrees, subtree) > 0);
  add_extension(NID_name_constraints, limits.get(), 1);
  return *this;
}

Result<Certificate> CertificateDraft::sign(EVP_PKEY* key, const Certificate* issuer) {
  auto* self = x509_.get();
  auto* above = issuer != nullptr ? issuer->native() : self;
  note(X509_set_issuer_name(self, X509_get_subject_name(above)));
  X509V3_CTX context;
  X509V3_set_ctx(&context, above, self, nullptr, nullptr, 0);
  auto add = [&](int nid, const char* value) {
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    note(extension != nullptr && X509_add_ext(self, extension.get(), -1) == 1);
  };
  add(NID_subject_key_identifier, "hash");
  add(NID_authority_key_identifier, "keyid:always");
  note(X509_sign(self, key, EVP_sha256()) > 0);
  if (!good_) return fail_openssl(Errc::internal, "making a certificate");
  // Read back, so that what is handed out is what everybody else will parse.
  return Certificate::from_der(to_der<i2d_X509>(self));
}

}  // namespace sallyport::crypto
