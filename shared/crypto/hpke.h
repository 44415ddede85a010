#pragma once

#include "shared/crypto/aead.h"
#include "shared/crypto/key.h"

// Sealing to a public key: HPKE (RFC 9180) in base mode, one message per encapsulation (§6.1), with
// DHKEM(P-256, HKDF-SHA256) 0x0010, HKDF-SHA256 0x0001 and AES-256-GCM 0x0002. Nobody but the holder of the private key
// opens it, not even who sealed it; who sealed it stays unproven: that has to come from elsewhere.
namespace sallyport::crypto {

// What hpke_seal() adds to the plaintext: the encapsulated key and the tag.
inline constexpr std::size_t kHpkeOverhead = kPointSize + kAeadTagSize;

// What a sealed text is tied to and does not contain; both sides must say the same.
struct HpkeBinding {
  std::span<const std::byte> info;  // what it is for: goes into the keys
  std::span<const std::byte> aad;   // what it belongs to: authenticated with the text
};

// enc (65 bytes) ‖ ciphertext ‖ tag.
Result<Bytes> hpke_seal(const PublicKey& recipient, std::span<const std::byte> plaintext, const HpkeBinding& binding);

// The same with a given ephemeral key, for test vectors: one that seals twice gives away what it sealed.
Result<Bytes> hpke_seal_with(const PrivateKey& ephemeral, const PublicKey& recipient,
                             std::span<const std::byte> plaintext, const HpkeBinding& binding);

// The plaintext, or Errc::invalid when key, binding or bytes differ from what was sealed.
Result<Secret> hpke_open(const PrivateKey& recipient, std::span<const std::byte> sealed, const HpkeBinding& binding);

}  // namespace sallyport::crypto
