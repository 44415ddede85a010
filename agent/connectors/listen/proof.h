#pragma once

#include "agent/policy/listen_connection.h"
#include "shared/base/clock.h"
#include "shared/base/secret.h"
#include "shared/http/types.h"

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::connectors::listen {

inline constexpr std::size_t kShortestSecret = 16;  // in bytes; nobody is believed for a shorter one

// Why a request is not believed.
enum class Doubt {
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
// much of a secret is guessed right. Every one of `secrets` is good. A certificate was checked before there was a
// request. No IO, no clock of its own.
std::expected<Proven, Doubt> check_proof(const policy::ListenSender& sender, std::span<const Secret> secrets,
                                         const http::Headers& headers, std::string_view body, WallTime now);

std::string_view explain(Doubt doubt);  // for the sender: nothing of the request

}  // namespace sallyport::connectors::listen
