#include "relay/keys/sealed_record.h"

#include <algorithm>

namespace sallyport::keys {
namespace {

constexpr std::byte kVersion{1};
static_assert(kSealedHeaderSize == 1 + std::tuple_size_v<KeyId> + std::tuple_size_v<Salt>);

}  // namespace

Bytes write_header(const KeyId& key, const Salt& salt) {
  Bytes header = {kVersion};
  header.insert(header.end(), key.begin(), key.end());
  header.insert(header.end(), salt.begin(), salt.end());
  return header;
}

Result<SealedRecord> split_sealed(std::span<const std::byte> sealed) {
  if (sealed.size() <= kSealedHeaderSize) return fail(Errc::invalid, "not a sealed field: too short");
  if (sealed[0] != kVersion) return fail(Errc::invalid, "not a sealed field of a version this program knows");
  SealedRecord record;
  std::ranges::copy(sealed.subspan(1, record.key.size()), record.key.begin());
  std::ranges::copy(sealed.subspan(1 + record.key.size(), record.salt.size()), record.salt.begin());
  record.header = sealed.first(kSealedHeaderSize);
  record.body = sealed.subspan(kSealedHeaderSize);
  return record;
}

}  // namespace sallyport::keys
