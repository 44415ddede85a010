#include "shared/tls/context.h"

#include "shared/tls/engine.h"
#include "shared/tls/verify.h"

namespace sallyport::tls {
namespace {

constexpr auto kSuites12 = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305";
constexpr auto kSuites13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr auto kGroups = "X25519:P-256";
constexpr auto kSignatures = "ECDSA+SHA256";
constexpr std::uint64_t kOptions =
    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE;
constexpr std::size_t kReadBuffer = 66u << 10;  // four records; only while there is something in it
constexpr std::uint64_t kModes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN;
constexpr int kSecurityLevel = 2;  // 112 bits and up
constexpr long kMaxPeerChainBytes = 32 << 10;
constexpr int kMaxIntermediates = 2;

Result<SslContextOwner> hardened_context(const SSL_METHOD* method) {
  SslContextOwner context(SSL_CTX_new(method));
  auto* ssl = context.get();
  if (ssl == nullptr || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) != 1 || SSL_CTX_set_cipher_list(ssl, kSuites12) != 1 ||
      SSL_CTX_set_ciphersuites(ssl, kSuites13) != 1 || SSL_CTX_set1_groups_list(ssl, kGroups) != 1 ||
      SSL_CTX_set1_sigalgs_list(ssl, kSignatures) != 1 || SSL_CTX_set1_client_sigalgs_list(ssl, kSignatures) != 1 ||
      SSL_CTX_set_num_tickets(ssl, 0) != 1 || SSL_CTX_set_max_early_data(ssl, 0) != 1) {
    return crypto::fail_openssl(Errc::internal, "preparing TLS");
  }
  SSL_CTX_set_security_level(ssl, kSecurityLevel);
  SSL_CTX_set_options(ssl, kOptions);
  SSL_CTX_set_mode(ssl, kModes);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(ssl, 1);
  SSL_CTX_set_default_read_buffer_len(ssl, kReadBuffer);
  SSL_CTX_set_max_cert_list(ssl, kMaxPeerChainBytes);
  SSL_CTX_set_cert_verify_callback(ssl, on_peer_chain, nullptr);
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  auto* rules = SSL_CTX_get0_param(ssl);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_depth(rules, kMaxIntermediates);
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  return context;
}

Result<void> show(SSL_CTX* ssl, std::span<const crypto::Certificate> chain, const crypto::PrivateKey& key) {
  if (chain.empty()) return fail(Errc::invalid, "no certificate to show");
  bool good = SSL_CTX_use_certificate(ssl, chain.front().native()) == 1 &&
              SSL_CTX_use_PrivateKey(ssl, key.native()) == 1 && SSL_CTX_check_private_key(ssl) == 1;
  for (const auto& above : chain.subspan(1)) good = good && SSL_CTX_add1_chain_cert(ssl, above.native()) == 1;
  if (!good) return crypto::fail_openssl(Errc::invalid, "the certificate and the key to show do not fit");
  return {};
}

Result<void> trust(SSL_CTX* ssl, const crypto::Certificate& root) {
  if (!root.ca()) return fail(Errc::invalid, "the root certificate is not a CA's");
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), root.native()) != 1) {
    return crypto::fail_openssl(Errc::internal, "trusting the root certificate");
  }
  return {};
}

Result<void> offer(SSL_CTX* ssl, std::string_view protocol) {
  const std::string list = static_cast<char>(protocol.size()) + std::string(protocol);
  const auto bytes = as_bytes(list);
  // This one function of OpenSSL returns 0 for success.
  if (SSL_CTX_set_alpn_protos(ssl, crypto::octets(bytes), static_cast<unsigned>(bytes.size())) != 0) {
    return crypto::fail_openssl(Errc::internal, "offering the application protocol");
  }
  return {};
}

// Boxes that inspect are often old.
constexpr int kCarrierSecurityLevel = 1;
constexpr long kMaxShownChainBytes = 64 << 10;

Result<SslContextOwner> carrier_context() {
  SslContextOwner context(SSL_CTX_new(TLS_client_method()));
  auto* ssl = context.get();
  if (ssl == nullptr || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1) {
    return crypto::fail_openssl(Errc::internal, "preparing TLS");
  }
  SSL_CTX_set_security_level(ssl, kCarrierSecurityLevel);
  SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(ssl, kModes);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(ssl, 1);
  SSL_CTX_set_default_read_buffer_len(ssl, kReadBuffer);
  SSL_CTX_set_max_cert_list(ssl, kMaxShownChainBytes);
  SSL_CTX_set_cert_verify_callback(ssl, on_peer_chain, nullptr);
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  return context;
}

}  // namespace

Result<ServerContext> make_server_context(const ServerSettings& settings, const Clock& clock) {
  SP_TRY(auto context, hardened_context(TLS_server_method()));
  const auto& before = settings.predecessor;
  std::vector<crypto::Certificate> chain{settings.certificate};
  if (before) chain.push_back(before->cross);
  SP_CHECK(show(context.get(), chain, settings.key));
  SP_CHECK(trust(context.get(), settings.root));
  if (before) SP_CHECK(crypto::check_succession(*before, settings.root));
  if (before) SP_CHECK(trust(context.get(), before->root));
  if (!settings.certificate.signed_by(settings.root)) {
    return fail(Errc::invalid, "the server certificate is not issued by the root");
  }
  SSL_CTX_set_client_hello_cb(context.get(), on_client_hello, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), on_alpn, nullptr);
  return ServerContext(std::make_shared<ContextCore>(ContextCore{Role::server,
                                                                 clock,
                                                                 std::move(context),
                                                                 make_engine_bio_method(),
                                                                 settings.trust_domain,
                                                                 settings.root,
                                                                 {},
                                                                 std::make_unique<KnownChains>(),
                                                                 before ? std::optional(before->root) : std::nullopt}));
}

Result<ClientContext> make_link_client_context(const LinkClientSettings& settings, const Clock& clock) {
  SP_TRY(auto context, hardened_context(TLS_client_method()));
  SP_CHECK(show(context.get(), settings.chain, settings.key));
  SP_CHECK(trust(context.get(), settings.root));
  SP_CHECK(offer(context.get(), kLinkProtocol));
  return ClientContext(std::make_shared<ContextCore>(
      ContextCore{Role::link_client, clock, std::move(context), make_engine_bio_method()}));
}

Result<ClientContext> make_enrol_client_context(const crypto::Digest& root_pin, const Clock& clock) {
  SP_TRY(auto context, hardened_context(TLS_client_method()));
  SP_CHECK(offer(context.get(), kEnrolProtocol));
  return ClientContext(std::make_shared<ContextCore>(
      ContextCore{Role::enrol_client, clock, std::move(context), make_engine_bio_method(), {}, {}, root_pin}));
}

Result<ClientContext> make_carrier_client_context(const Clock& clock) {
  SP_TRY(auto context, carrier_context());
  SP_CHECK(offer(context.get(), kCarrierProtocol));
  return ClientContext(std::make_shared<ContextCore>(
      ContextCore{Role::carrier_client, clock, std::move(context), make_engine_bio_method()}));
}

Result<ClientContext> make_onlooker_client_context(const Clock& clock) {
  SP_TRY(auto context, carrier_context());
  return ClientContext(std::make_shared<ContextCore>(
      ContextCore{Role::carrier_client, clock, std::move(context), make_engine_bio_method()}));
}

}  // namespace sallyport::tls
