#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::cli {

// What a relay said to a request that asked for another protocol.
struct UpgradeAnswer {
  unsigned status = 0;
  std::string request_id;  // in the relay's log
  std::string body;        // of a refusal
  std::size_t used = 0;    // bytes at the front; behind those of a 101 the other protocol begins
};

// Reads the answer off the front of a connection's bytes (RFC 9112): nothing while it is not whole yet. Stricter than
// the RFC, for it is the relay's own: HTTP/1.1, lines that end in CR LF, no folding, a body by one Content-Length only,
// a 101 without a body that names `protocol` in its one Upgrade field. Errc::too_large: a head over 16 KiB or a body
// over 64 KiB; Errc::invalid: anything else than such an answer. No IO.
Result<std::optional<UpgradeAnswer>> read_upgrade_answer(std::string_view bytes, std::string_view protocol);

}  // namespace sallyport::cli
