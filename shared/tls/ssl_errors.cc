#include "shared/tls/ssl_errors.h"

#include "shared/crypto/openssl.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace sallyport::tls {
namespace {

struct SslError {
  int reason = 0;
  std::string text;
};

SslError take() {
  const auto first = ERR_peek_error();
  const int reason = ERR_GET_LIB(first) == ERR_LIB_SSL ? ERR_GET_REASON(first) : 0;
  return {reason, crypto::take_openssl_reason()};
}

bool is_alert(int reason) { return reason >= SSL_AD_REASON_OFFSET; }

Error alert_error(int reason) {
  const int alert = reason - SSL_AD_REASON_OFFSET;
  const std::string_view name = SSL_alert_desc_string_long(alert);
  const auto text = fmt::format("the other side ended the session: {}", name);
  switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE: return {Errc::unauthenticated, text};
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return {Errc::unauthenticated, fmt::format("the other side did not accept our certificate: {}", name)};
    default: return {Errc::unavailable, text};
  }
}

std::string_view reason_of(int ssl_reason) {
  switch (ssl_reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return reason::kNoCertificate;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_SSL_VERSION:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_WRONG_VERSION_NUMBER: return reason::kVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS: return reason::kCipher;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return reason::kClosed;
    default: return reason::kProtocol;
  }
}

}  // namespace

Refusal take_handshake_refusal(bool input_ended) {
  auto error = take();
  if (is_alert(error.reason)) return {reason::kRefusedByPeer, alert_error(error.reason)};
  if (input_ended) return {reason::kClosed, {Errc::unavailable, "the connection ended within the TLS handshake"}};
  return {reason_of(error.reason), {Errc::unauthenticated, "TLS handshake: " + error.text}};
}

Error take_session_error() {
  auto error = take();
  if (is_alert(error.reason)) return alert_error(error.reason);
  if (error.reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return {Errc::unavailable, "the connection ended without close_notify: what came last may be missing"};
  }
  return {Errc::unavailable, "TLS session: " + error.text};
}

std::string validity(const crypto::Certificate& certificate, const Clock& clock) {
  return fmt::format("valid from {} to {}, and this machine's clock says {}", rfc3339(certificate.not_before()),
                     rfc3339(certificate.not_after()), rfc3339(clock.wall()));
}

}  // namespace sallyport::tls
