#include "relay/keys/key_wrap.h"

#include "shared/base/secret.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"

#include <algorithm>
#include <string>

namespace sallyport::keys {
namespace {

constexpr std::byte kVersion{1};
constexpr std::size_t kSaltSize = 32;
constexpr std::array<std::byte, crypto::kAeadNonceSize> kNonce{};  // each wrapping key is used once

// Every parent is a whole key, so putting one after the other is unambiguous.
Result<void> wrapping_key(LockedKey& out, Parents parents, std::span<const std::byte> salt) {
  std::string input;
  input.reserve(parents.size() * kKeySize);
  for (const auto& parent : parents) input.append(as_text(parent));
  const Secret joined = Secret::take(input);
  return crypto::hkdf_sha256(as_bytes(joined.reveal()), salt, as_bytes("sallyport/2/wrap"), out.writable());
}

}  // namespace

Result<LockedKey> random_key(LockedMemory& memory) {
  SP_TRY(LockedKey key, memory.take());
  crypto::fill_random(key.writable());
  return key;
}

Result<LockedKey> next_key(LockedMemory& memory, const LockedKey& key) {
  SP_TRY(LockedKey next, memory.take());
  SP_CHECK(crypto::hkdf_sha256(key.bytes(), {}, as_bytes("sallyport/2/ratchet"), next.writable()));
  return next;
}

Result<Bytes> wrap_key(LockedMemory& memory, Parents parents, std::string_view purpose, const LockedKey& key) {
  Bytes wrapped(1 + kSaltSize);
  wrapped[0] = kVersion;
  const auto salt = std::span(wrapped).subspan(1);
  crypto::fill_random(salt);
  SP_TRY(LockedKey under, memory.take());
  SP_CHECK(wrapping_key(under, parents, salt));
  SP_TRY(const Bytes body, crypto::seal_bare(under.bytes(), kNonce, key.bytes(), as_bytes(purpose)));
  wrapped.insert(wrapped.end(), body.begin(), body.end());
  return wrapped;
}

Result<LockedKey> unwrap_key(LockedMemory& memory, Parents parents, std::string_view purpose,
                             std::span<const std::byte> wrapped) {
  if (wrapped.size() != kWrappedSize || wrapped[0] != kVersion) return fail(Errc::invalid, "not a wrapped key");
  SP_TRY(LockedKey under, memory.take());
  SP_CHECK(wrapping_key(under, parents, wrapped.subspan(1, kSaltSize)));
  auto opened = crypto::open_bare(under.bytes(), kNonce, wrapped.subspan(1 + kSaltSize), as_bytes(purpose));
  if (!opened) return fail(Errc::invalid, "the wrapped key was changed, or is wrapped under another one");
  SP_TRY(LockedKey key, memory.take());
  std::ranges::copy(as_bytes(opened->reveal()), key.writable().begin());
  return key;
}

}  // namespace sallyport::keys
