#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct x509_st;

namespace sallyport::crypto {

inline constexpr std::size_t kMaxCertificateBytes = 16u << 10;

// One entry of a subjectAltName extension (RFC 5280 §4.2.1.6). `text` has the raw bytes of dns, uri and email names,
// the usual notation of addresses, and is empty for kinds that no certificate of ours carries.
struct AltName {
  enum class Kind { dns, uri, ip, email, other };
  Kind kind = Kind::other;
  std::string text;
  friend bool operator==(const AltName&, const AltName&) = default;
};

// Which basicConstraints the certificate states; `path_length` is absent when unlimited.
struct CaConstraint {
  std::optional<long> path_length;
};

// An X.509 certificate: immutable, cheap to copy (shared). Parsing checks the form only; nothing is verified here.
class Certificate {
 public:
  // Exactly one certificate, no byte left over, at most kMaxCertificateBytes; else Errc::invalid or too_large.
  static Result<Certificate> from_der(std::span<const std::byte> der);
  static Result<Certificate> from_pem(std::string_view pem);
  explicit Certificate(std::shared_ptr<x509_st> x509) : x509_(std::move(x509)) {}
  static Certificate share(x509_st* borrowed);  // takes a reference of its own

  Bytes der() const;
  std::string pem() const;

  std::string subject() const;            // RFC 2253 text, for people and logs
  std::string issuer() const;             // the same
  std::string common_name() const;        // "" unless there is exactly one
  std::string organisation_name() const;  // "" unless there is exactly one organizationName in the subject
  std::string serial() const;             // lower-case hex without leading zeros beyond whole bytes
  WallTime not_before() const;
  WallTime not_after() const;

  std::vector<AltName> alt_names() const;  // empty when the extension is absent, broken or repeated
  std::optional<CaConstraint> ca() const;  // absent for an end entity
  // Extended key usage; a certificate without the extension allows none.
  bool allows_client_auth() const;
  bool allows_server_auth() const;
  // Key usage; a certificate without the extension allows none.
  bool allows_digital_signature() const;
  bool allows_certificate_signing() const;

  Digest fingerprint() const;                       // SHA-256 of the DER
  Digest key_pin() const;                           // SHA-256 of SubjectPublicKeyInfo
  Bytes public_key_der() const;                     // SubjectPublicKeyInfo
  bool signed_by(const Certificate& issuer) const;  // names match and the issuer's key verifies the signature

  x509_st* native() const { return x509_.get(); }
  friend bool operator==(const Certificate& a, const Certificate& b) { return a.fingerprint() == b.fingerprint(); }

 private:
  std::shared_ptr<x509_st> x509_;
};

// Certificates written one after the other, text between them ignored; at most `most`.
Result<std::vector<Certificate>> parse_pem_bundle(std::string_view pem, std::size_t most = 8);
std::string to_pem_bundle(std::span<const Certificate> chain);

}  // namespace sallyport::crypto
