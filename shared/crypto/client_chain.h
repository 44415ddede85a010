#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/spiffe.h"
#include "shared/crypto/x509.h"

namespace sallyport::crypto {

// The end of a chain that stands without a handshake: an agent's certificate and the issuing CA below `root`.
struct ClientChain {
  Certificate leaf;
  Certificate issuer;
};

// Whose certificate it is, or Errc::unauthenticated with what is wrong. libcrypto builds and verifies the chain to
// exactly `root` at `at` (RFC 5280 §6: signatures, times, path length, name constraints, client authentication); then
// the rules for agents: one alternative name, of an organisation whose issuing CA it is.
// Whether it was revoked since is not judged: only the relay knows that.
Result<SpiffeId> verify_client_chain(const ClientChain& chain, const Certificate& root, WallTime at);

}  // namespace sallyport::crypto
