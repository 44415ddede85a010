#pragma once

#include "shared/base/result.h"
#include "shared/base/text.h"

#include <array>
#include <cstddef>
#include <span>

namespace sallyport::keys {

// Names the master key a record was sealed under; derived from the key, and no secret.
using KeyId = std::array<std::byte, 8>;
using Salt = std::array<std::byte, 32>;

// The outside of a sealed field: version (1 byte, = 1) ‖ key id (8) ‖ salt (32) ‖ body (the AEAD's output).
struct SealedRecord {
  KeyId key;
  Salt salt;
  std::span<const std::byte> header;  // the first three, as they were read: authenticated with the body
  std::span<const std::byte> body;
};

inline constexpr std::size_t kSealedHeaderSize = 41;

Bytes write_header(const KeyId& key, const Salt& salt);

// Splits without copying; the spans point into `sealed`. Errc::invalid: too short, or another version.
Result<SealedRecord> split_sealed(std::span<const std::byte> sealed);

}  // namespace sallyport::keys
