#include "relay/keys/sealed_credentials.h"

#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"

#include <array>

namespace sallyport::keys {
namespace {

constexpr std::byte kVersion{1};
constexpr std::size_t kSaltAt = 5;
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kBodyAt = kSaltAt + kSaltSize;
constexpr std::array<std::byte, crypto::kAeadNonceSize> kNonce{};  // each key that is derived is used once

Result<Secret> key_from(const HeldKey& global, std::span<const std::byte> salt) {
  std::string derived(crypto::kAeadKeySize, '\0');
  const std::span out(reinterpret_cast<std::byte*>(derived.data()), derived.size());
  SP_CHECK(crypto::hkdf_sha256(global.key->bytes(), salt, as_bytes("sallyport/2/credentials"), out));
  return Secret::take(derived);
}

}  // namespace

Result<Bytes> seal_credentials(const HeldKey& global, std::string_view purpose, const Secret& credentials) {
  Bytes sealed(kBodyAt);
  sealed[0] = kVersion;
  for (std::size_t i = 0; i < 4; ++i) sealed[1 + i] = static_cast<std::byte>(global.version >> (24 - 8 * i));
  const auto salt = std::span(sealed).subspan(kSaltAt, kSaltSize);
  crypto::fill_random(salt);
  SP_TRY(const auto key, key_from(global, salt));
  SP_TRY(const auto body,
         crypto::seal_bare(as_bytes(key.reveal()), kNonce, as_bytes(credentials.reveal()), as_bytes(purpose)));
  sealed.insert(sealed.end(), body.begin(), body.end());
  return sealed;
}

Result<std::uint32_t> global_version_of(std::span<const std::byte> sealed) {
  if (sealed.size() < kBodyAt + crypto::kAeadTagSize || sealed[0] != kVersion) {
    return fail(Errc::invalid, "not sealed credentials");
  }
  std::uint32_t version = 0;
  for (std::size_t i = 0; i < 4; ++i) version = version << 8 | std::to_integer<std::uint32_t>(sealed[1 + i]);
  return version;
}

Result<Secret> open_credentials(const HeldKey& global, std::string_view purpose, std::span<const std::byte> sealed) {
  SP_CHECK(global_version_of(sealed));
  SP_TRY(const auto key, key_from(global, sealed.subspan(kSaltAt, kSaltSize)));
  auto opened = crypto::open_bare(as_bytes(key.reveal()), kNonce, sealed.subspan(kBodyAt), as_bytes(purpose));
  if (!opened) return fail(Errc::invalid, "the sealed credentials were changed, or are of another key");
  return opened;
}

}  // namespace sallyport::keys
