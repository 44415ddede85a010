#pragma once

#include "relay/keys/envelope.h"
#include "relay/store/webhooks.h"
#include "shared/base/clock.h"
#include "shared/base/secret.h"
#include "shared/proof/proof.h"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::webhooks {

inline constexpr std::size_t kMostSecrets = 4;  // of one webhook that are good at the same time
inline constexpr std::size_t kLongestSecret = 256;

// How a sender may prove who it is, as `store::Webhook::proof` and the API spell it.
inline constexpr std::array<std::string_view, 3> kProofs{"standard-webhooks", "signature", "timestamped-signature"};
proof::Terms terms_of(const store::Webhook& webhook);
// Where a proof has a header of its own to name: what it is when nobody says.
std::string_view usual_header(std::string_view proof);

// What a sender signs with, and until when that is good; nothing: until another one comes.
struct HeldSecret {
  Secret text;
  std::optional<WallTime> until = {};
};

keys::RecordIdentity secrets_identity(const OrgId& org, const WebhookId& id);
// All of one webhook as the text that is sealed, and back. Errc::invalid: it is no such text.
Secret join_secrets(std::span<const HeldSecret> secrets);
Result<std::vector<HeldSecret>> split_secrets(const Secret& text);

// Those that are good at `now`.
std::vector<Secret> good_at(std::span<const HeldSecret> secrets, WallTime now);
// `secrets` with a newest one; those before are good until `old_until` at most, and the oldest go.
std::vector<HeldSecret> with_newest(std::vector<HeldSecret> secrets, Secret newest, WallTime now, WallTime old_until);

Secret make_secret();  // "whsec_" and 32 random bytes in base64
// What is wrong with a secret that somebody else made; "": nothing. It never repeats the secret.
std::string fault_of_secret(std::string_view text);

}  // namespace sallyport::webhooks
