#pragma once

#include "shared/crypto/openssl.h"
#include "shared/tls/context.h"
#include "shared/tls/known_chains.h"
#include "shared/tls/peer_identity.h"

#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <vector>

// For the .cc files of this folder only.
namespace sallyport::tls {

enum class Role { server, link_client, enrol_client, carrier_client };

using SslContextOwner = std::unique_ptr<SSL_CTX, crypto::FreeWith<SSL_CTX_free>>;
using SslOwner = std::unique_ptr<SSL, crypto::FreeWith<SSL_free>>;
using BioMethodOwner = std::unique_ptr<BIO_METHOD, crypto::FreeWith<BIO_meth_free>>;

struct ContextCore {
  Role role;
  const Clock& clock;
  SslContextOwner ssl;
  BioMethodOwner bio_method;                         // of the engine
  std::string trust_domain = {};                     // server
  std::optional<crypto::Certificate> root = {};      // server: shown to agents that enrol
  crypto::Digest root_pin = {};                      // enrol_client
  std::unique_ptr<KnownChains> known = {};           // server
  std::optional<crypto::Certificate> old_root = {};  // server: as `root`
};

// What one handshake learns; the callbacks find it through the SSL object's application data.
struct HandshakeNotes {
  const ContextCore& core;
  std::string host;  // clients: what the server's certificate must name
  std::string protocol = {};
  std::optional<Refusal> refusal = {};  // the first reason, more exact than the alert
  std::vector<crypto::Certificate> chain = {};
  std::optional<PeerIdentity> agent = {};
  std::string expired = {};  // server: what is to be said of a certificate whose time is over

  void refuse(std::string_view reason, Errc code, std::string message) {
    if (!refusal) refusal = Refusal{reason, Error{code, std::move(message)}};
  }
  static HandshakeNotes& of(const SSL* ssl) { return *static_cast<HandshakeNotes*>(SSL_get_app_data(ssl)); }
};

}  // namespace sallyport::tls
