#pragma once

#include "agent/policy/listen_connection.h"
#include "shared/proof/proof.h"

#include <expected>
#include <span>
#include <string_view>

namespace sallyport::connectors::listen {

using proof::Doubt;
using proof::kShortestSecret;
using proof::Proven;

// Whether headers and body of one request prove what its sender has to (shared/proof). A certificate was checked before
// there was a request.
std::expected<Proven, Doubt> check_proof(const policy::ListenSender& sender, std::span<const Secret> secrets,
                                         const http::Headers& headers, std::string_view body, WallTime now);

}  // namespace sallyport::connectors::listen
