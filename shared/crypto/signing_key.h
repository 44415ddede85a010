#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/crypto/key.h"

#include <span>
#include <string>

namespace sallyport::crypto {

inline constexpr std::size_t kEd25519Size = 32;  // of either half
inline constexpr std::size_t kSignatureSize = 64;

// An Ed25519 private key (RFC 8032 §5.1). Move only; libcrypto wipes it when it dies.
class SigningKey {
 public:
  static Result<SigningKey> generate();
  static Result<SigningKey> from_seed(const Secret& seed);  // kEd25519Size bytes; Errc::invalid otherwise

  Result<Secret> seed() const;
  Result<Bytes> public_key() const;
  Result<Bytes> sign(std::span<const std::byte> message) const;

 private:
  explicit SigningKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

// Errc::invalid: no such key, or it did not sign this.
Result<void> check_signature(std::span<const std::byte> public_key, std::span<const std::byte> message,
                             std::span<const std::byte> signature);

// SubjectPublicKeyInfo as PEM, which other programs read.
Result<std::string> public_key_pem(std::span<const std::byte> public_key);
Result<Bytes> public_key_from_pem(const std::string& pem);

}  // namespace sallyport::crypto
