#pragma once

#include "shared/http/types.h"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::http {

// The strict gate before everything else: one header block in, one request or a refusal out. No IO, no state, no clock.
//
// It refuses whatever two HTTP implementations could read differently (RFC 9112 §11.2): a bare CR or LF, obsolete line
// folding, white space around a field name, control characters, a Host missing or twice, a repeated or unclean
// Content-Length, any Transfer-Encoding but one single "chunked", both lengths at once, absolute-form and
// authority-form targets, and every path that is not in its one normal form (dot segments, empty segments, encoded or
// backward slashes, needless percent-encoding, bytes that are not UTF-8).
struct GateLimits {
  std::size_t max_header_bytes = 16u << 10;
  std::size_t max_headers = 64;
  std::size_t max_target = 4096;
  std::size_t max_segments = 16;
  std::size_t max_query_parameters = 32;
};

// Why a request was refused: answered with `status`, and then the connection closes.
struct GateRefusal {
  int status = 400;
  std::string code;    // "obs_fold", "two_hosts": for metrics and tests
  std::string detail;  // for the caller; holds nothing of the request
};

// Length of the header block at the start of `bytes` (up to and with the empty line); nothing while it is incomplete.
// Refuses a block over the limit, and a byte that no header block may hold, as soon as it is there. The first `scanned`
// bytes were looked at by an earlier call, which found nothing: they are not read again.
std::expected<std::optional<std::size_t>, GateRefusal> find_head_end(std::string_view bytes, const GateLimits& limits,
                                                                     std::size_t scanned = 0);

// `block` is a whole header block as found by find_head_end().
std::expected<RequestHead, GateRefusal> check_head(std::string_view block, const GateLimits& limits);

// A request id from outside: 1 to 64 characters of [A-Za-z0-9._-].
bool is_request_id(std::string_view text);

}  // namespace sallyport::http
