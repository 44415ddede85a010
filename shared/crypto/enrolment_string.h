#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/crypto/digest.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::crypto {

inline constexpr std::size_t kEnrolmentSecretSize = 32;
inline constexpr std::size_t kMaxEnrolmentString = 1024;
// RFC 8446 §7.5 exporter that ties a proof to one TLS session.
inline constexpr std::string_view kEnrolmentExporterLabel = "EXPORTER-sallyport-enrol-1";
inline constexpr std::size_t kEnrolmentExporterSize = 32;

// What the one string of `sallyport agent token create` carries.
struct EnrolmentString {
  std::string relay_host;  // DNS name or IP address (IPv6 without brackets)
  std::uint16_t relay_port = 0;
  Digest root_pin{};  // SHA-256 of the deployment root's SubjectPublicKeyInfo
  EnrolmentId token;
  Secret secret;  // kEnrolmentSecretSize random bytes; never sent
  WallTime expires{};
  std::string api_url;  // "" or the https URL of the web API
};

// "spe1." + base64url of: root pin (32), secret (32), expiry in Unix ms (8), port (2), then token id, host and API URL
// each with a length byte in front, then the first 4 bytes of the SHA-256 of all that. Numbers are big-endian. The
// checksum tells a mistyped string from a refused one.
Result<Secret> format_enrolment_string(const EnrolmentString& parts);

// Surrounding white space is dropped; anything else unexpected is Errc::invalid, over kMaxEnrolmentString too_large.
// Expiry is not judged here.
Result<EnrolmentString> parse_enrolment_string(std::string_view text);

// HMAC-SHA256(secret, exporter ‖ csr): possession of the secret, bound to this TLS session and this key.
Digest enrolment_proof(const Secret& secret, std::span<const std::byte> exporter, std::span<const std::byte> csr_der);

}  // namespace sallyport::crypto
