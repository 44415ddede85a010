#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <cstddef>
#include <span>

namespace sallyport::crypto {

inline constexpr std::size_t kAeadKeySize = 32;
inline constexpr std::size_t kAeadNonceSize = 12;
inline constexpr std::size_t kAeadTagSize = 16;
// What seal() adds to the plaintext: format (1), nonce (12), tag (16).
inline constexpr std::size_t kSealOverhead = 29;

Secret new_aead_key();

// AES-256-GCM (NIST SP 800-38D) with a fresh random nonce: format ‖ nonce ‖ ciphertext ‖ tag. The format byte is 1 and
// is authenticated; a format with key commitment would be 2. At most 2^32 messages under one key: derive a key per
// record (hkdf_sha256) where that could be exceeded. `associated` is bound, not stored.
// A key that is not 32 bytes long is Errc::internal.
Result<Bytes> seal(std::span<const std::byte> key, std::span<const std::byte> plaintext,
                   std::span<const std::byte> associated);
Result<Bytes> seal(const Secret& key, std::span<const std::byte> plaintext, std::span<const std::byte> associated);

// The plaintext, or Errc::invalid when key, associated data or bytes differ from what was sealed (never told apart).
Result<Secret> open(std::span<const std::byte> key, std::span<const std::byte> sealed,
                    std::span<const std::byte> associated);
Result<Secret> open(const Secret& key, std::span<const std::byte> sealed, std::span<const std::byte> associated);

// For formats of their own: ciphertext ‖ tag (16) under a key of 32 bytes and a nonce of 12, which the caller never
// uses twice under one key.
Result<Bytes> seal_bare(std::span<const std::byte> key, std::span<const std::byte> nonce,
                        std::span<const std::byte> plaintext, std::span<const std::byte> associated);
Result<Secret> open_bare(std::span<const std::byte> key, std::span<const std::byte> nonce,
                         std::span<const std::byte> sealed, std::span<const std::byte> associated);

// RFC 5869, extract and expand, into all of `out`.
Result<void> hkdf_sha256(std::span<const std::byte> input, std::span<const std::byte> salt,
                         std::span<const std::byte> info, std::span<std::byte> out);
// RFC 5869, extract and expand. `length` is at most 255 * 32.
Result<Secret> hkdf_sha256(const Secret& input, std::span<const std::byte> salt, std::span<const std::byte> info,
                           std::size_t length);

}  // namespace sallyport::crypto
