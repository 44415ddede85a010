#pragma once

#include "shared/http/gate.h"

#include <expected>
#include <string_view>

namespace sallyport::http {

// The request-target part of the gate (RFC 9112 §3.2.1, RFC 3986 §3.3-3.4): origin-form in its one normal form.
// Fills target, path, segments and query of `head`.
std::expected<void, GateRefusal> check_target(std::string_view target, const GateLimits& limits, RequestHead& head);

}  // namespace sallyport::http
