#pragma once

#include "relay/keys/key_cache.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <string_view>

namespace sallyport::keys {

// Credentials for where an organisation's own key is kept, as keys.db has them: version (1, = 1) ‖ version of the
// global key (4) ‖ salt (32) ‖ AES-256-GCM under HKDF(global key, salt, "sallyport/2/credentials"), bound to `purpose`.
// docs/envelope.md.
Result<Bytes> seal_credentials(const HeldKey& global, std::string_view purpose, const Secret& credentials);
// Which global key opens them. Errc::invalid: not sealed credentials.
Result<std::uint32_t> global_version_of(std::span<const std::byte> sealed);
// Errc::invalid: another key, another purpose, or changed.
Result<Secret> open_credentials(const HeldKey& global, std::string_view purpose, std::span<const std::byte> sealed);

}  // namespace sallyport::keys
