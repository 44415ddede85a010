#include "tests/bench/agents/handshakes.h"

#include "tests/bench/load/sockets.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace sallyport::bench {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr unsigned char kAlpn[] = "\x0bsallyport/1";
constexpr long kLife = 3'600;

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Free<&SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Free<&SSL_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<&EVP_PKEY_free>>;
using Chain = std::unique_ptr<X509, Free<&X509_free>>;

std::unexpected<Error> failed(const char* what) { return fail(Errc::internal, what); }

// A certificate for itself, of a new key.
bool use_own_certificate(SSL_CTX* context) {
  const Key key(EVP_EC_gen("P-256"));
  const Chain certificate(X509_new());
  if (!key || !certificate) return false;
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kLife);
  X509_set_pubkey(certificate.get(), key.get());
  return X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0 &&
         SSL_CTX_use_certificate(context, certificate.get()) == 1 && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

Result<Context> client_context(const agent::Identity& identity) {
  Context context(SSL_CTX_new(TLS_client_method()));
  const bool good = context && SSL_CTX_use_certificate(context.get(), identity.chain[0].native()) == 1 &&
                    SSL_CTX_add1_chain_cert(context.get(), identity.chain[1].native()) == 1 &&
                    SSL_CTX_use_PrivateKey(context.get(), identity.key.native()) == 1 &&
                    SSL_CTX_set_alpn_protos(context.get(), kAlpn, sizeof(kAlpn) - 1) == 0;
  if (!good) return failed("OpenSSL does not take the identity");
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

// The handshake of TLS 1.3 ends for the client before the server has looked at its certificate: that no alert comes
// before the end says that it was taken.
bool shake_one(SSL_CTX* context, const sockaddr_in& server) {
  const auto socket = connect_to(server, kPatience);
  if (!socket) return false;
  const Connection tls(SSL_new(context));
  SSL_set_fd(tls.get(), socket->get());
  ERR_clear_error();
  if (SSL_connect(tls.get()) != 1) return false;
  SSL_shutdown(tls.get());
  char byte = 0;
  while (SSL_read(tls.get(), &byte, 1) > 0) {
  }
  return ERR_GET_REASON(ERR_peek_last_error()) < SSL_AD_REASON_OFFSET;
}

}  // namespace

Result<void> run_naive_server(const sockaddr_in& listen, const agent::Identity& identity) {
  SP_TRY(const auto listener, listen_at(listen));
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (!context || !use_own_certificate(context.get())) return failed("OpenSSL has no context");
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), identity.root.native());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  for (;;) {
    const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) continue;
    const Connection tls(SSL_new(context.get()));
    SSL_set_fd(tls.get(), client.get());
    if (SSL_accept(tls.get()) == 1) SSL_shutdown(tls.get());
  }
}

Result<Handshakes> shake_hands(const sockaddr_in& server, const agent::Identity& identity,
                               std::chrono::duration<double> length, unsigned threads) {
  SP_TRY(const auto context, client_context(identity));
  std::atomic<unsigned> done{0};
  std::atomic<unsigned> broken{0};
  const auto until = std::chrono::steady_clock::now() + length;
  {
    std::vector<std::jthread> running;
    running.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) {
      running.emplace_back([&] {
        while (std::chrono::steady_clock::now() < until) ++(shake_one(context.get(), server) ? done : broken);
      });
    }
  }
  return Handshakes{done, broken};
}

}  // namespace sallyport::bench
