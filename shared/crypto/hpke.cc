#include "shared/crypto/hpke.h"

#include "shared/crypto/digest.h"

#include <array>

namespace sallyport::crypto {
namespace {

using namespace std::string_view_literals;

constexpr auto kVersion = "HPKE-v1"sv;
constexpr auto kKemSuite = "KEM\x00\x10"sv;                // §4.1
constexpr auto kSuite = "HPKE\x00\x10\x00\x01\x00\x02"sv;  // §5.1
constexpr std::size_t kSecretSize = 32;                    // Nsecret and Nh

Secret keep(Digest digest, std::size_t length) {
  std::string bytes(as_text(digest).substr(0, length));
  wipe(digest.data(), digest.size());
  return Secret::take(bytes);
}

// LabeledExtract (§4): HKDF-Extract is one HMAC.
Secret extract(std::string_view suite, const Secret& salt, std::string_view label, std::span<const std::byte> input) {
  return keep(hmac_sha256(salt, {as_bytes(kVersion), as_bytes(suite), as_bytes(label), input}), kSecretSize);
}

// LabeledExpand (§4) to at most 32 bytes, for which HKDF-Expand is one HMAC too.
template <std::size_t Length>
Secret expand(std::string_view suite, const Secret& secret, std::string_view label, std::span<const std::byte> info) {
  static_assert(Length <= kSecretSize);
  constexpr std::array length{std::byte{0}, std::byte{Length}};
  constexpr std::array counter{std::byte{1}};
  return keep(
      hmac_sha256(secret, {length, as_bytes(kVersion), as_bytes(suite), as_bytes(label), info, std::span(counter)}),
      Length);
}

Bytes joined(std::initializer_list<std::span<const std::byte>> parts) {
  Bytes all;
  for (auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// ExtractAndExpand (§4.1).
Secret shared_secret(const Secret& agreed, std::span<const std::byte> enc, std::span<const std::byte> recipient) {
  const Secret prk = extract(kKemSuite, {}, "eae_prk", as_bytes(agreed.reveal()));
  return expand<kSecretSize>(kKemSuite, prk, "shared_secret", joined({enc, recipient}));
}

struct Keys {
  Secret key;
  Secret nonce;  // base_nonce, which is that of the first and only message
};

// KeySchedule (§5.1) in mode_base, where psk and psk_id are empty.
Keys schedule(const Secret& shared, std::span<const std::byte> info) {
  const std::array mode_base{std::byte{0}};
  const Secret psk_id_hash = extract(kSuite, {}, "psk_id_hash", {});
  const Secret info_hash = extract(kSuite, {}, "info_hash", info);
  const Bytes context = joined({mode_base, as_bytes(psk_id_hash.reveal()), as_bytes(info_hash.reveal())});
  const Secret secret = extract(kSuite, shared, "secret", {});
  return {expand<kAeadKeySize>(kSuite, secret, "key", context),
          expand<kAeadNonceSize>(kSuite, secret, "base_nonce", context)};
}

}  // namespace

Result<Bytes> hpke_seal(const PublicKey& recipient, std::span<const std::byte> plaintext, const HpkeBinding& binding) {
  SP_TRY(const auto ephemeral, PrivateKey::generate());
  return hpke_seal_with(ephemeral, recipient, plaintext, binding);
}

Result<Bytes> hpke_seal_with(const PrivateKey& ephemeral, const PublicKey& recipient,
                             std::span<const std::byte> plaintext, const HpkeBinding& binding) {
  SP_TRY(const auto agreed, ephemeral.shared_with(recipient));
  const Bytes enc = ephemeral.public_point();
  const Keys keys = schedule(shared_secret(agreed, enc, recipient.point()), binding.info);
  SP_TRY(const auto text,
         seal_bare(as_bytes(keys.key.reveal()), as_bytes(keys.nonce.reveal()), plaintext, binding.aad));
  return joined({enc, text});
}

Result<Secret> hpke_open(const PrivateKey& recipient, std::span<const std::byte> sealed, const HpkeBinding& binding) {
  if (sealed.size() < kHpkeOverhead) return fail(Errc::invalid, "too short to be sealed to a key");
  const auto enc = sealed.first(kPointSize);
  SP_TRY(const auto ephemeral, PublicKey::from_point(enc));
  SP_TRY(const auto agreed, recipient.shared_with(ephemeral));
  const Keys keys = schedule(shared_secret(agreed, enc, recipient.public_point()), binding.info);
  return open_bare(as_bytes(keys.key.reveal()), as_bytes(keys.nonce.reveal()), sealed.subspan(kPointSize), binding.aad);
}

}  // namespace sallyport::crypto
