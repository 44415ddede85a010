#include "tests/unit/shared/tls/meeting.h"

#include "shared/tls/engine.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sallyport::test {
namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

asio::awaitable<SocketPair> connected_sockets() {
  auto executor = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket near(executor);
  auto dial = near.async_connect(acceptor.local_endpoint(), asio::use_awaitable);
  auto far = co_await (acceptor.async_accept(asio::use_awaitable) && std::move(dial));
  co_return SocketPair{std::move(near), std::move(far)};
}

asio::awaitable<Meeting> meet(tls::ServerContext relay, tls::ClientContext agent, std::string host) {
  auto sockets = co_await connected_sockets();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  auto [accepted, connected] =
      co_await (tls::accept_tls(std::move(sockets.far), std::move(relay), deadline) &&
                tls::connect_tls(std::move(sockets.near), std::move(agent), std::move(host), deadline));
  co_return Meeting{std::move(accepted), std::move(connected)};
}

namespace {

asio::awaitable<Error> dial_and_listen(tcp::socket socket, tls::ClientContext agent, SteadyTime deadline) {
  auto stream = co_await tls::connect_tls(std::move(socket), std::move(agent), "127.0.0.1", deadline);
  if (!stream) co_return stream.error().error;
  std::byte buffer[16];
  auto got = co_await (*stream)->read_some(buffer);
  co_return got ? Error{Errc::internal, "no error"} : got.error();
}

}  // namespace

asio::awaitable<Refused> meet_to_refuse(tls::ServerContext relay, tls::ClientContext agent) {
  auto sockets = co_await connected_sockets();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  auto [accepted, heard] = co_await (tls::accept_tls(std::move(sockets.far), std::move(relay), deadline) &&
                                     dial_and_listen(std::move(sockets.near), std::move(agent), deadline));
  co_return Refused{std::move(accepted), std::move(heard)};
}

tls::ServerContext relay_context(const Pki& pki) {
  return must(tls::make_server_context({pki.server.certificate, pki.server.key, pki.root.certificate, pki.trust_domain},
                                       pki.clock));
}

tls::ClientContext agent_context(const Pki& pki, const AgentKeyPair& agent) {
  return must(tls::make_link_client_context({agent.chain, agent.key, pki.root.certificate}, pki.clock));
}

tls::ClientContext agent_context(const Pki& pki) { return agent_context(pki, pki.agent()); }

std::string name(Version version) { return version == Version::tls12 ? "TLSv1.2" : "TLSv1.3"; }

tls::ClientContext careless_client(const Clock& clock, std::string_view protocols) {
  tls::SslContextOwner ssl(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(ssl.get(), TLS1_VERSION);
  SSL_CTX_set_security_level(ssl.get(), 0);
  SSL_CTX_set_cipher_list(ssl.get(), "ALL");
  SSL_CTX_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  if (!protocols.empty()) {
    SSL_CTX_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
  }
  return tls::ClientContext(std::make_shared<tls::ContextCore>(
      tls::ContextCore{tls::Role::link_client, clock, std::move(ssl), tls::make_engine_bio_method()}));
}

void Resumption::tempt(const tls::ClientContext& context) {
  auto* ssl = context.core()->ssl.get();
  SSL_CTX_set_app_data(ssl, this);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_clear_options(ssl, SSL_OP_NO_TICKET);
  SSL_CTX_set_info_callback(ssl, watch);
}

void Resumption::watch(const SSL* ssl, int where, int) {
  auto& self = *static_cast<Resumption*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (where == SSL_CB_HANDSHAKE_START && self.session != nullptr) SSL_set_session(const_cast<SSL*>(ssl), self.session);
  if (where != SSL_CB_HANDSHAKE_DONE) return;
  ++self.handshakes;
  self.resumed += SSL_session_reused(ssl);
  SSL_SESSION_free(self.session);
  self.session = SSL_get1_session(const_cast<SSL*>(ssl));
  self.resumable += SSL_SESSION_is_resumable(self.session) + SSL_SESSION_has_ticket(self.session);
  const unsigned char id[32] = {1, 2, 3};
  SSL_SESSION_set1_id(self.session, id, sizeof id);
}

}  // namespace sallyport::test
