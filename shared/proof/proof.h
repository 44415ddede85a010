#pragma once

#include "shared/base/clock.h"
#include "shared/base/secret.h"
#include "shared/http/types.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::proof {

inline constexpr std::size_t kShortestSecret = 16;  // in bytes; nobody is to be believed for a shorter one

// How a sender proves with a secret who it is.
enum class Scheme : std::uint8_t {
  bearer,                 // Authorization: Bearer SECRET (RFC 6750)
  signature,              // HMAC-SHA256 over the body, in hexadecimal
  timestamped_signature,  // over time, dot and body: "t=1700000000,v1=HEX"
  standard_webhooks,      // over id, time and body, as "Standard Webhooks" has it
};

struct Terms {
  Scheme scheme = Scheme::standard_webhooks;
  std::string signature_header = {};         // of `signature` and `timestamped_signature`
  std::chrono::milliseconds tolerance = {};  // how far a sender's clock, or its message, may be behind or ahead
};

// Why a request is not believed.
enum class Doubt : std::uint8_t {
  missing,    // it has no proof
  malformed,  // its proof is none that could be checked
  wrong,
  stale,  // the proof is right, and older or newer than the sender's tolerance
};

// What was proven, besides who has sent it.
struct Proven {
  // The signed id, time and content, so that the same ones can be known again; empty: nothing tells them apart.
  std::string identity;
};

// Checks headers and body of one request against what its sender has to prove, in a time that does not depend on how
// much of a secret is guessed right. Every one of `secrets` is good. No IO, no clock of its own.
std::expected<Proven, Doubt> check(const Terms& terms, std::span<const Secret> secrets, const http::Headers& headers,
                                   std::string_view body, WallTime now);

std::string_view explain(Doubt doubt);  // for the sender: nothing of the request

}  // namespace sallyport::proof
