#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <string_view>

namespace sallyport::keys {

// A key together with its purpose, for places that authenticate what they encrypt and have no associated data that can
// be relied on: format (1 byte, = 1) ‖ length of the purpose (1) ‖ purpose ‖ key. At most kMaxPurpose characters.
Secret frame_key(std::string_view purpose, const Secret& key);
// The key. Errc::invalid: no frame, or framed for another purpose.
Result<Secret> unframe_key(std::string_view purpose, const Secret& frame);

}  // namespace sallyport::keys
