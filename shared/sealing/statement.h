#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/client_chain.h"
#include "shared/crypto/key.h"

#include <cstdint>
#include <string>

namespace sallyport::sealing {

// Which of its agent's sealing keys a text is sealed to: 1, 2, ...
using Generation = std::uint32_t;

// "This point is my sealing key", said by an agent and signed by the private key of its certificate.
struct Statement {
  Generation generation = 0;
  Bytes point;  // crypto::kPointSize bytes; a point of the curve
  crypto::ClientChain chain;
  Bytes signature;
};

// What is signed: label ‖ 0 ‖ f(organisation) ‖ f(agent) ‖ generation (4) ‖ point, f(x) = length (4) ‖ x.
inline constexpr std::string_view kStatementLabel = "sallyport/1/sealing-key";

// The agent's word for `sealing_key`, to be shown with its certificate. `certificate_key` is that of chain.leaf.
Result<Statement> make_statement(const crypto::SpiffeId& agent, Generation generation,
                                 const crypto::PrivateKey& sealing_key, const crypto::PrivateKey& certificate_key,
                                 crypto::ClientChain chain);

Bytes to_bytes(const Statement& statement);
// Form and sizes only. Errc::invalid: anything that to_bytes would not have written.
Result<Statement> parse_statement(std::span<const std::byte> bytes);

struct Recipient {
  crypto::SpiffeId agent;
  Generation generation = 0;
  crypto::PublicKey key;
};

// Whose word it is, when the chain stands below `root` at `now` and the signature is its agent's; otherwise
// Errc::unauthenticated. What was sealed to nobody else's statement can be opened by that agent alone.
Result<Recipient> verify_statement(const Statement& statement, const crypto::Certificate& root, WallTime now);

// What people compare at both ends: 32 hex digits of SHA-256 of the point, in groups of four.
std::string fingerprint_of(std::span<const std::byte> point);

}  // namespace sallyport::sealing
