#include "shared/crypto/x509.h"

#include "shared/crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <chrono>

namespace sallyport::crypto {
namespace {

std::shared_ptr<x509_st> shared(X509* owned) { return {owned, X509_free}; }

std::string name_text(const X509_NAME* name) {
  const BioOwner bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return bio_text(bio.get());
}

std::string raw(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string only_entry(const X509_NAME* name, int nid) {
  const int first = X509_NAME_get_index_by_NID(name, nid, -1);
  if (first < 0 || X509_NAME_get_index_by_NID(name, nid, first) >= 0) return {};
  return raw(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, first)));
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(time, &tm) != 1) return {};
  using namespace std::chrono;
  const auto day = sys_days(year(tm.tm_year + 1900) / (tm.tm_mon + 1) / tm.tm_mday);
  return time_point_cast<milliseconds>(day + hours(tm.tm_hour) + minutes(tm.tm_min) + seconds(tm.tm_sec));
}

std::string address_text(const ASN1_OCTET_STRING* octets) {
  const auto* data = ASN1_STRING_get0_data(octets);
  const int size = ASN1_STRING_length(octets);
  std::string text;
  if (size == 4) {
    for (int i = 0; i < 4; ++i) text += (i > 0 ? "." : "") + std::to_string(data[i]);
  } else if (size == 16) {
    for (int i = 0; i < 16; i += 2) {
      text += (i > 0 ? ":" : "") + hex({reinterpret_cast<const std::byte*>(data) + i, 2});
    }
  }
  return text;
}

AltName alt_name(const GENERAL_NAME* name) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(name, &type);
  switch (type) {
    case GEN_DNS: return {AltName::Kind::dns, raw(static_cast<const ASN1_STRING*>(value))};
    case GEN_URI: return {AltName::Kind::uri, raw(static_cast<const ASN1_STRING*>(value))};
    case GEN_EMAIL: return {AltName::Kind::email, raw(static_cast<const ASN1_STRING*>(value))};
    case GEN_IPADD: return {AltName::Kind::ip, address_text(static_cast<const ASN1_OCTET_STRING*>(value))};
    default: return {AltName::Kind::other, {}};
  }
}

// The flag bits of an extension that is present; UINT32_MAX is libcrypto's word for an absent one.
bool allows(std::uint32_t present, std::uint32_t wanted) {
  return present != UINT32_MAX && (present & wanted) == wanted;
}

}  // namespace

Result<Certificate> Certificate::from_der(std::span<const std::byte> der) {
  if (der.size() > kMaxCertificateBytes) return fail(Errc::too_large, "a certificate over 16 KiB");
  const auto* at = octets(der);
  auto x509 = shared(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!x509) return fail_openssl(Errc::invalid, "not an X.509 certificate");
  if (at != octets(der) + der.size()) return fail(Errc::invalid, "bytes after the certificate");
  return Certificate(std::move(x509));
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  SP_TRY(auto all, parse_pem_bundle(pem, 1));
  return all.front();
}

Certificate Certificate::share(x509_st* borrowed) {
  X509_up_ref(borrowed);
  return Certificate(shared(borrowed));
}

Bytes Certificate::der() const { return to_der<i2d_X509>(native()); }

std::string Certificate::pem() const {
  const BioOwner bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), native());
  return bio_text(bio.get());
}

std::string Certificate::subject() const { return name_text(X509_get_subject_name(native())); }
std::string Certificate::issuer() const { return name_text(X509_get_issuer_name(native())); }
std::string Certificate::common_name() const { return only_entry(X509_get_subject_name(native()), NID_commonName); }
std::string Certificate::organisation_name() const {
  return only_entry(X509_get_subject_name(native()), NID_organizationName);
}

std::string Certificate::serial() const {
  const ASN1_INTEGER* number = X509_get0_serialNumber(native());
  const auto bytes = std::span(reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(number)),
                               static_cast<std::size_t>(ASN1_STRING_length(number)));
  return (ASN1_STRING_type(number) == V_ASN1_NEG_INTEGER ? "-" : "") + hex(bytes);
}

WallTime Certificate::not_before() const { return wall_time(X509_get0_notBefore(native())); }
WallTime Certificate::not_after() const { return wall_time(X509_get0_notAfter(native())); }

std::vector<AltName> Certificate::alt_names() const {
  using Names = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
  int status = 0;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(native(), NID_subject_alt_name, &status, nullptr)));
  ERR_clear_error();
  std::vector<AltName> out;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    out.push_back(alt_name(sk_GENERAL_NAME_value(names.get(), i)));
  }
  return out;
}

std::optional<CaConstraint> Certificate::ca() const {
  if ((X509_get_extension_flags(native()) & EXFLAG_CA) == 0) return std::nullopt;
  const long length = X509_get_pathlen(native());
  return CaConstraint{length < 0 ? std::nullopt : std::optional(length)};
}

bool Certificate::allows_client_auth() const { return allows(X509_get_extended_key_usage(native()), XKU_SSL_CLIENT); }
bool Certificate::allows_server_auth() const { return allows(X509_get_extended_key_usage(native()), XKU_SSL_SERVER); }
bool Certificate::allows_digital_signature() const {
  return allows(X509_get_key_usage(native()), KU_DIGITAL_SIGNATURE);
}
bool Certificate::allows_certificate_signing() const { return allows(X509_get_key_usage(native()), KU_KEY_CERT_SIGN); }

Digest Certificate::fingerprint() const { return sha256(der()); }
Digest Certificate::key_pin() const { return sha256(public_key_der()); }
Bytes Certificate::public_key_der() const { return to_der<i2d_X509_PUBKEY>(X509_get_X509_PUBKEY(native())); }

bool Certificate::signed_by(const Certificate& issuer) const {
  EVP_PKEY* key = X509_get0_pubkey(issuer.native());
  const bool good =
      key != nullptr && X509_check_issued(issuer.native(), native()) == X509_V_OK && X509_verify(native(), key) == 1;
  ERR_clear_error();
  return good;
}

Result<std::vector<Certificate>> parse_pem_bundle(std::string_view pem, std::size_t most) {
  if (pem.size() > most * kMaxCertificateBytes * 2)
    return fail(Errc::too_large, "a certificate file over its size limit");
  const auto bio = read_only_bio(pem);
  std::vector<Certificate> out;
  while (auto* x509 = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    out.emplace_back(shared(x509));
    if (out.size() > most) return fail(Errc::too_large, "more certificates than allowed in one file");
  }
  const auto why = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE;
  if (!at_end) return fail_openssl(Errc::invalid, "not a certificate in PEM");
  ERR_clear_error();
  if (out.empty()) return fail(Errc::invalid, "no certificate in PEM found");
  return out;
}

std::string to_pem_bundle(std::span<const Certificate> chain) {
  std::string out;
  for (const auto& certificate : chain) out += certificate.pem();
  return out;
}

}  // namespace sallyport::crypto
