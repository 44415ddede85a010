#pragma once

#include "relay/store/api_tokens.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <optional>
#include <string_view>

namespace sallyport::api {

// "spt_" + the 26 characters of the token's ULID + "_" + 32 random bytes as base64url: a fixed prefix and shape, so
// that scanners of source code find a leaked one.
inline constexpr std::string_view kTokenPrefix = "spt_";
inline constexpr std::size_t kTokenSecretSize = 32;

// A fresh secret: what its owner keeps, and the hash that the store keeps.
struct NewTokenSecret {
  Secret text;  // the whole string
  Bytes hash;   // SHA-256 of the secret part
};
NewTokenSecret make_token_secret(const ApiTokenId& id);

struct PresentedToken {
  ApiTokenId id;
  Bytes hash;  // SHA-256 of the secret part that came with it
};
// Nothing unless it has exactly the shape above. Whether it is a token is another question.
std::optional<PresentedToken> parse_token(std::string_view text);

// May this token be used at `now`, by somebody who showed `hash`? Compares in constant time, whatever the answer.
bool is_good(const store::ApiToken& token, std::span<const std::byte> hash, WallTime now);

}  // namespace sallyport::api
