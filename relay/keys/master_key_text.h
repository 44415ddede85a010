#pragma once

#include "relay/keys/master_key.h"

namespace sallyport::keys {

// "sallyport-master-key-1 <base64url of 32 bytes>\n"
inline constexpr std::size_t kMaxKeyFileSize = 128;

Secret format_key_file(const MasterKey& key);
Result<MasterKey> parse_key_file(const Secret& text);

}  // namespace sallyport::keys
