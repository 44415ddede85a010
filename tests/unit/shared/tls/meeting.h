#pragma once

#include "shared/tls/context_core.h"
#include "shared/tls/stream.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"

#include <boost/asio/awaitable.hpp>

#include <string>

// Both ends of TLS sessions over real loopback sockets, and contexts bent out of shape.
namespace sallyport::test {

struct Meeting {
  tls::Handshake relay;
  tls::Handshake agent;
};

struct SocketPair {
  boost::asio::ip::tcp::socket near;
  boost::asio::ip::tcp::socket far;
};

boost::asio::awaitable<SocketPair> connected_sockets();

// Lets the two contexts meet; the agent expects the relay to be `host`.
boost::asio::awaitable<Meeting> meet(tls::ServerContext relay, tls::ClientContext agent,
                                     std::string host = "127.0.0.1");

// The same for an agent that ought to be refused: what it hears, in its handshake or, with TLS 1.3, in its first read.
struct Refused {
  tls::Handshake relay;
  Error heard;
};
boost::asio::awaitable<Refused> meet_to_refuse(tls::ServerContext relay, tls::ClientContext agent);

tls::ServerContext relay_context(const Pki& pki);
tls::ClientContext agent_context(const Pki& pki, const AgentKeyPair& agent);
tls::ClientContext agent_context(const Pki& pki);  // of a new, valid agent

enum class Version { tls12, tls13 };
std::string name(Version version);
template <class Context>
Context limited_to(Context context, Version version) {
  const int number = version == Version::tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context.core()->ssl.get(), number);
  SSL_CTX_set_max_proto_version(context.core()->ssl.get(), number);
  return context;
}

// A client without any of our rules: no certificate, checks nothing, every version and cipher; `protocols` in ALPN's
// wire form.
tls::ClientContext careless_client(const Clock& clock, std::string_view protocols);

// Remembers the client's session and offers it again in the next handshake, under an id that looks like the server's.
struct Resumption {
  SSL_SESSION* session = nullptr;
  int handshakes = 0;
  int resumed = 0;
  int resumable = 0;

  Resumption() = default;
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;
  ~Resumption() { SSL_SESSION_free(session); }
  void tempt(const tls::ClientContext& context);  // must outlive its handshakes
  static void watch(const SSL* ssl, int where, int);
};

}  // namespace sallyport::test
