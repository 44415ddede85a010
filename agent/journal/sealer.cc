#include "agent/journal/sealer.h"

#include "shared/crypto/aead.h"
#include "shared/crypto/digest.h"

#include <algorithm>

namespace sallyport::journal {
namespace {

constexpr std::size_t kKeptKeys = 64;

std::string join(Sealer::Place place) {
  std::string joined;
  for (const auto part : place) {
    joined += std::to_string(part.size());
    joined += ':';
    joined += part;
  }
  return joined;
}

}  // namespace

Result<const Secret*> Sealer::key_of(std::string_view scope) {
  const auto it = std::ranges::find(recent_, scope, &Derived::scope);
  if (it != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, it);
    return &recent_.front().key;
  }
  SP_TRY(Secret derived,
         crypto::hkdf_sha256(key_, as_bytes(scope), as_bytes("sallyport journal 1"), crypto::kAeadKeySize));
  recent_.emplace_front(std::string(scope), std::move(derived));
  if (recent_.size() > kKeptKeys) recent_.pop_back();
  return &recent_.front().key;
}

Result<Bytes> Sealer::seal(std::string_view scope, Place place, std::string_view plain) {
  SP_TRY(const Secret* key, key_of(scope));
  return crypto::seal(*key, as_bytes(plain), as_bytes(join(place)));
}

Result<std::string> Sealer::open(std::string_view scope, Place place, std::span<const std::byte> sealed) {
  SP_TRY(const Secret* key, key_of(scope));
  auto plain = crypto::open(*key, sealed, as_bytes(join(place)));
  if (!plain)
    return fail(Errc::invalid, "a value in the journal does not open: wrong key file, or the file was edited");
  return std::string(plain->reveal());
}

std::string Sealer::fingerprint(std::string_view scope, std::string_view text) const {
  const std::string size = std::to_string(scope.size()) + ":";
  return hex(crypto::hmac_sha256(
      key_, {as_bytes("sallyport journal event"), as_bytes(size), as_bytes(scope), as_bytes(text)}));
}

}  // namespace sallyport::journal
