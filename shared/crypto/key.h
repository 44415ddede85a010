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

// A P-256 private key. Move only; libcrypto wipes it when it dies.
class PrivateKey {
 public:
  static Result<PrivateKey> generate();
  // PKCS#8 PEM without a passphrase, at most 4 KiB; any other kind of key or curve is Errc::invalid.
  static Result<PrivateKey> from_pem(const Secret& pem);
  Secret to_pem() const;

  Bytes public_key_der() const;  // SubjectPublicKeyInfo
  evp_pkey_st* native() const { return key_.get(); }

 private:
  explicit PrivateKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

}  // namespace sallyport::crypto
