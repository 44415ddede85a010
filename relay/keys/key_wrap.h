#pragma once

#include "relay/keys/locked_memory.h"
#include "shared/base/text.h"

#include <initializer_list>
#include <span>
#include <string_view>

namespace sallyport::keys {

// A key of 32 bytes encrypted under others, all of which are needed: version (1) ‖ salt (32) ‖ AES-256-GCM under
// HKDF(parents, salt, "sallyport/2/wrap"), bound to `purpose`. docs/envelope.md.
inline constexpr std::size_t kWrappedSize = 1 + 32 + kKeySize + 16;

using Parents = std::initializer_list<std::span<const std::byte>>;

Result<Bytes> wrap_key(LockedMemory& memory, Parents parents, std::string_view purpose, const LockedKey& key);
// Errc::invalid: other parents, another purpose, or changed.
Result<LockedKey> unwrap_key(LockedMemory& memory, Parents parents, std::string_view purpose,
                             std::span<const std::byte> wrapped);

Result<LockedKey> random_key(LockedMemory& memory);
// The next of a chain that cannot be walked back.
Result<LockedKey> next_key(LockedMemory& memory, const LockedKey& key);

}  // namespace sallyport::keys
