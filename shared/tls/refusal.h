#pragma once

#include "shared/base/result.h"
#include "shared/crypto/spiffe.h"
#include "shared/crypto/x509.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::tls {

// Why a TLS session was refused; logged as the `reason` field and stable for alerts and tests.
namespace reason {
inline constexpr std::string_view kNoCertificate = "tls.no_certificate";
inline constexpr std::string_view kWrongCa =
    "tls.wrong_ca";  // does not chain to the root, or is not signed by what it names
inline constexpr std::string_view kWrongPin = "tls.wrong_pin";
inline constexpr std::string_view kExpired = "tls.expired";
inline constexpr std::string_view kNotYetValid = "tls.not_yet_valid";
inline constexpr std::string_view kWrongRole = "tls.wrong_role";  // a CA, or the wrong (extended) key usage
inline constexpr std::string_view kBadSan = "tls.bad_san";
inline constexpr std::string_view kWrongOrganisation = "tls.wrong_organisation";  // issued by another organisation's CA
inline constexpr std::string_view kWrongHost = "tls.wrong_host";
inline constexpr std::string_view kVersion = "tls.version";
inline constexpr std::string_view kCipher = "tls.cipher";
inline constexpr std::string_view kAlpn = "tls.alpn";
inline constexpr std::string_view kRefusedByPeer = "tls.refused_by_peer";  // the other side sent an alert
inline constexpr std::string_view kTimedOut = "tls.timed_out";
inline constexpr std::string_view kClosed = "tls.closed";  // the connection ended within the handshake
inline constexpr std::string_view kCancelled = "tls.cancelled";
inline constexpr std::string_view kProtocol = "tls.protocol";  // not TLS, or broken TLS
inline constexpr std::string_view kCrowded = "tls.crowded";    // too many unfinished handshakes of one source
// Given by the relay after the handshake.
inline constexpr std::string_view kUnknownSerial = "tls.unknown_serial";
inline constexpr std::string_view kRevoked = "tls.revoked";
inline constexpr std::string_view kOldGeneration = "tls.old_generation";
inline constexpr std::string_view kUnavailable = "tls.unavailable";  // could not be checked
}  // namespace reason

// Whose certificate was shown. That the other side holds its key is not proved.
struct ShownAgent {
  crypto::SpiffeId id;
  std::string serial;
};

struct Refusal {
  std::string_view reason;  // one of the codes above
  Error error;              // for the log: what was wrong with which certificate
  // Clients: who issued the server's certificate, when that was the fault; whoever inspects TLS on the way is named
  // here.
  std::string issuer = {};
  std::vector<crypto::Certificate> shown =
      {};                                // behind an onlooker's context: what came before the refusal, leaf first
  std::optional<ShownAgent> agent = {};  // servers: when the end of the certificate's time is all that is wrong with it
};

}  // namespace sallyport::tls
