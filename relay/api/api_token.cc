#include "relay/api/api_token.h"

#include "shared/crypto/digest.h"
#include "shared/crypto/new_id.h"
#include "shared/crypto/random.h"

namespace sallyport::api {
namespace {

constexpr std::size_t kUlidSize = 26;
constexpr std::size_t kSecretText = 43;  // 32 bytes as base64url
constexpr std::size_t kTokenSize = kTokenPrefix.size() + kUlidSize + 1 + kSecretText;
constexpr std::string_view kIdPrefix = crypto::IdPrefix<ApiTokenId>::text;

Bytes hash_of(std::span<const std::byte> secret) {
  const auto digest = crypto::sha256(secret);
  return {digest.begin(), digest.end()};
}

}  // namespace

NewTokenSecret make_token_secret(const ApiTokenId& id) {
  auto secret = crypto::random_bytes(kTokenSecretSize);
  std::string text(kTokenPrefix);
  text += id.value.substr(kIdPrefix.size()) + "_" + base64url(secret);
  NewTokenSecret made{Secret::take(text), hash_of(secret)};
  wipe(secret.data(), secret.size());
  return made;
}

std::optional<PresentedToken> parse_token(std::string_view text) {
  if (text.size() != kTokenSize || !text.starts_with(kTokenPrefix)) return std::nullopt;
  text.remove_prefix(kTokenPrefix.size());
  const std::string id = std::string(kIdPrefix) + std::string(text.substr(0, kUlidSize));
  if (!is_ulid(id, kIdPrefix) || text[kUlidSize] != '_') return std::nullopt;
  auto secret = from_base64url(text.substr(kUlidSize + 1));
  if (!secret || secret->size() != kTokenSecretSize) return std::nullopt;
  PresentedToken presented{ApiTokenId(id), hash_of(*secret)};
  wipe(secret->data(), secret->size());
  return presented;
}

bool is_good(const store::ApiToken& token, std::span<const std::byte> hash, WallTime now) {
  const bool same = crypto::constant_time_equal(token.secret_hash, hash);
  const bool alive = !token.revoked_at && (!token.expires_at || now < *token.expires_at);
  return same && alive;
}

}  // namespace sallyport::api
