#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/openssl.h"
#include "shared/crypto/x509.h"

#include <optional>
#include <span>
#include <string_view>

// For ca.cc and the tests' forged certificates only.
namespace sallyport::crypto {

// A certificate in the making (X.509 v3, random 128-bit serial). A failing step is remembered and reported by sign().
class CertificateDraft {
 public:
  CertificateDraft();

  CertificateDraft& subject(std::string_view organisation, std::string_view common_name);  // "" leaves a part out
  CertificateDraft& valid(WallTime from, WallTime until);                                  // whole seconds
  CertificateDraft& public_key(EVP_PKEY* key);
  CertificateDraft& end_entity();                                // critical basicConstraints CA:FALSE
  CertificateDraft& authority(std::optional<long> path_length);  // critical basicConstraints CA:TRUE
  CertificateDraft& key_usage(std::span<const int> bits);        // critical; bit numbers of RFC 5280 §4.2.1.3
  CertificateDraft& extended_usage(int nid);
  CertificateDraft& alt_names(std::span<const AltName> names);
  CertificateDraft& permit_uri_host(std::string_view host);  // critical name constraint

  // Adds both key identifiers. Without an issuer's certificate it is self-signed.
  Result<Certificate> sign(EVP_PKEY* key, const Certificate* issuer);

 private:
  void add_extension(int nid, void* value, int critical);
  void note(int ok) { good_ = good_ && ok == 1; }

  X509Owner x509_;
  bool good_ = true;
};

// Bit numbers of the keyUsage extension.
inline constexpr int kDigitalSignatureBit = 0;
inline constexpr int kKeyEnciphermentBit = 2;
inline constexpr int kCertificateSigningBit = 5;
inline constexpr int kCrlSigningBit = 6;

}  // namespace sallyport::crypto
