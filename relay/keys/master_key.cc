#include "relay/keys/master_key.h"

#include "relay/keys/master_key_text.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/digest.h"

#include <algorithm>

namespace sallyport::keys {
namespace {

constexpr std::string_view kPrefix = "sallyport-master-key-1 ";

KeyId id_of(const Secret& key) {
  const crypto::Digest digest = crypto::hmac_sha256(key, {as_bytes("sallyport-key-id-1")});
  KeyId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

MasterKey with_id(Secret key) {
  const KeyId id = id_of(key);
  return {.id = id, .key = std::move(key)};
}

}  // namespace

MasterKey new_master_key() { return with_id(crypto::new_aead_key()); }

Secret format_key_file(const MasterKey& key) {
  std::string encoded = base64url(as_bytes(key.key.reveal()));
  std::string text;
  text.reserve(kMaxKeyFileSize);
  text.append(kPrefix).append(encoded).append("\n");
  wipe(encoded.data(), encoded.size());
  return Secret::take(text);
}

Result<MasterKey> parse_key_file(const Secret& text) {
  std::string_view rest = text.reveal();
  const bool framed = rest.starts_with(kPrefix) && rest.ends_with('\n');
  if (!framed) return fail(Errc::invalid, "not a master key of this program");
  rest = rest.substr(kPrefix.size(), rest.size() - kPrefix.size() - 1);
  auto decoded = from_base64url(rest);
  if (!decoded || decoded->size() != crypto::kAeadKeySize) return fail(Errc::invalid, "the master key is damaged");
  std::string bytes(as_text(*decoded));
  wipe(decoded->data(), decoded->size());
  return with_id(Secret::take(bytes));
}

}  // namespace sallyport::keys
