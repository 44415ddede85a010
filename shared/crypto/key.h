#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <memory>
#include <span>

struct evp_pkey_st;

namespace sallyport::crypto {

struct KeyFree {
  void operator()(evp_pkey_st* key) const;
};
using KeyHandle = std::unique_ptr<evp_pkey_st, KeyFree>;

// A point of P-256 as SEC 1 §2.3.3 writes it, uncompressed: 04 ‖ x ‖ y.
inline constexpr std::size_t kPointSize = 65;

// Somebody's P-256 public key.
class PublicKey {
 public:
  // Only the uncompressed form of a point on the curve that is not infinity; everything else is Errc::invalid.
  static Result<PublicKey> from_point(std::span<const std::byte> point);

  Bytes point() const;  // kPointSize bytes
  evp_pkey_st* native() const { return key_.get(); }

 private:
  explicit PublicKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

// A P-256 private key. Move only; libcrypto wipes it when it dies.
class PrivateKey {
 public:
  static Result<PrivateKey> generate();
  // PKCS#8 PEM without a passphrase, at most 4 KiB; any other kind of key or curve is Errc::invalid.
  static Result<PrivateKey> from_pem(const Secret& pem);
  Secret to_pem() const;

  Bytes public_key_der() const;  // SubjectPublicKeyInfo
  Bytes public_point() const;    // kPointSize bytes
  // The x coordinate of the point that both sides reach (SP 800-56A §5.7.1.2), 32 bytes: input for a KDF, never a key.
  Result<Secret> shared_with(const PublicKey& other) const;
  evp_pkey_st* native() const { return key_.get(); }

 private:
  explicit PrivateKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

}  // namespace sallyport::crypto
