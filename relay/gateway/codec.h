#pragma once

#include "relay/jobs/wire.h"
#include "shared/base/result.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace sallyport::gateway {

// proto/sallyport/v1/jobs.proto on one side, plain values on the other.
// A long list (what is done of a dispatch, an agent's assignments) goes in several messages (docs/protocol.md P9.3).
std::vector<std::string> encode(const jobs::ToAgent& message);

// Errc::invalid: not a ToRelay message, or one without a body this relay knows. Sizes are bounded by the channel's
// message limit.
Result<jobs::FromAgent> decode(std::span<const std::byte> message);

}  // namespace sallyport::gateway
