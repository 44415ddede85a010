#pragma once

#include "shared/crypto/key.h"
#include "shared/crypto/x509.h"

namespace sallyport::crypto {

inline constexpr std::size_t kMaxSignature = 72;  // DER of two numbers of 256 bits

// ECDSA with SHA-256 (FIPS 186-5), in DER. The caller puts a label in front of what is signed: a key that signs several
// kinds of texts must not be made to say one for another.
Result<Bytes> sign(const PrivateKey& key, std::span<const std::byte> text);

// False also for a certificate of any other kind of key.
bool has_signed(const Certificate& signer, std::span<const std::byte> text, std::span<const std::byte> signature);

}  // namespace sallyport::crypto
