#pragma once

#include "shared/crypto/spiffe.h"
#include "shared/crypto/x509.h"
#include "shared/tls/refusal.h"

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::tls {

// The agent at the other end, as its verified certificate states it. What the relay knows besides (serial on file, not
// revoked, generation current) it checks after the handshake.
struct PeerIdentity {
  crypto::SpiffeId id;
  std::string serial;        // of the leaf, as Certificate::serial() writes it
  crypto::Digest key;        // the leaf's Certificate::key_pin()
  crypto::Digest root = {};  // pin of the root above it
};

// Judges a chain (leaf first, root last) that OpenSSL has already built and verified: the leaf is an end entity for
// client authentication with digitalSignature, its only alternative name is an agent's URI of exactly `trust_domain`,
// and its issuer is the CA of that very organisation, directly below the root.
std::expected<PeerIdentity, Refusal> check_agent_chain(std::span<const crypto::Certificate> chain,
                                                       std::string_view trust_domain);

}  // namespace sallyport::tls
