#include "shared/http/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/system/error_code.hpp>

#include <string_view>

namespace sallyport::http {
namespace {

namespace ssl = boost::asio::ssl;

constexpr const char* kTls12Suites =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
constexpr const char* kTls13Suites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
constexpr const char* kCurves = "X25519:P-256:P-384";

// RFC 7301 §3.2: a client that names protocols must name http/1.1; one that names none is served.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned size, void*) {
  static constexpr std::string_view kProtocol("\x08http/1.1", 9);
  unsigned char* chosen = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(kProtocol.data());
  if (SSL_select_next_proto(&chosen, out_size, ours, kProtocol.size(), offered, size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> harden(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  const bool done = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
                    SSL_CTX_set_cipher_list(context, kTls12Suites) == 1 &&
                    SSL_CTX_set_ciphersuites(context, kTls13Suites) == 1 &&
                    SSL_CTX_set1_groups_list(context, kCurves) == 1;
  if (!done) return fail(Errc::internal, "the TLS library refuses the suites of the web API");
  return {};
}

Result<void> ask_for_certificates(SSL_CTX* context, const std::string& authorities) {
  auto* names = SSL_load_client_CA_file(authorities.c_str());
  if (names == nullptr || SSL_CTX_load_verify_file(context, authorities.c_str()) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    ERR_clear_error();
    return fail(Errc::invalid, fmt::format("client CA file {}: it holds no certificates", authorities));
  }
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

}  // namespace

Result<std::shared_ptr<ssl::context>> load_tls(const TlsFiles& files) {
  const auto& [certificate_file, key_file, client_ca_file] = files;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SP_CHECK(harden(context->native_handle()));
  boost::system::error_code problem;
  context->use_certificate_chain_file(certificate_file, problem);
  if (problem) {
    return fail(Errc::invalid, fmt::format("certificate file {}: {}", certificate_file, problem.message()));
  }
  context->use_private_key_file(key_file, ssl::context::pem, problem);
  if (problem) return fail(Errc::invalid, fmt::format("key file {}: {}", key_file, problem.message()));
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return fail(Errc::invalid, fmt::format("key file {} does not belong to {}", key_file, certificate_file));
  }
  if (!client_ca_file.empty()) SP_CHECK(ask_for_certificates(context->native_handle(), client_ca_file));
  return context;
}

Result<void> check(const TlsFiles& files) {
  SP_CHECK(load_tls(files));
  return {};
}

}  // namespace sallyport::http
