#pragma once

#include "shared/base/result.h"
#include "shared/base/text.h"
#include "shared/crypto/key.h"

#include <span>

namespace sallyport::crypto {

inline constexpr std::size_t kMaxSigningRequestBytes = 4u << 10;

// A PKCS#10 request (RFC 2986) for `key`, in DER. It carries the key and the proof of its possession and nothing else:
// the authority decides every name.
Result<Bytes> make_signing_request(const PrivateKey& key);

// The public key of a request: P-256, its self-signature verified, no byte left over. Names and attributes are ignored.
class SigningRequest {
 public:
  static Result<SigningRequest> from_der(std::span<const std::byte> der);

  Bytes public_key_der() const;  // SubjectPublicKeyInfo
  evp_pkey_st* native_key() const { return key_.get(); }

 private:
  explicit SigningRequest(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

}  // namespace sallyport::crypto
