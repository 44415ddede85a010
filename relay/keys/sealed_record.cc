#include "relay/keys/sealed_record.h"

#include "shared/crypto/aead.h"
#include "shared/crypto/digest.h"

#include <algorithm>

namespace sallyport::keys {
namespace {

constexpr std::byte kVersion{2};
constexpr std::size_t kHeadSize = 1 + 1 + 4 + 4 + std::tuple_size_v<Salt>;
static_assert(kSealedHeaderSize == kHeadSize + std::tuple_size_v<crypto::Digest>);
static_assert(kSealedOverhead == kSealedHeaderSize + 2 * crypto::kAeadTagSize);

// Each key seals one record, so its nonce may be the same always.
constexpr std::array<std::byte, crypto::kAeadNonceSize> kNonce{};

// What one layer derives for one record: key (32) ‖ its half of the commitment (32).
struct LayerKey {
  std::array<std::byte, 64> bytes{};
  LayerKey() = default;
  LayerKey(LayerKey&& other) noexcept : bytes(other.bytes) { wipe(other.bytes.data(), other.bytes.size()); }
  LayerKey& operator=(LayerKey&&) = delete;
  ~LayerKey() { wipe(bytes.data(), bytes.size()); }

  std::span<const std::byte> key() const { return std::span(bytes).first<32>(); }
  std::span<const std::byte> check() const { return std::span(bytes).last<32>(); }
};

Result<LayerKey> layer_key(std::span<const std::byte> from, const Salt& salt, std::string_view layer) {
  LayerKey derived;
  SP_CHECK(crypto::hkdf_sha256(from, salt, as_bytes(layer), derived.bytes));
  return derived;
}

struct RecordKeys {
  LayerKey inner;
  LayerKey outer;
};

Result<RecordKeys> record_keys(const SealKeys& keys, const Salt& salt) {
  SP_TRY(LayerKey inner, layer_key(keys.inner, salt, "sallyport/2/inner"));
  SP_TRY(LayerKey outer, layer_key(keys.outer, salt, "sallyport/2/outer"));
  return RecordKeys{std::move(inner), std::move(outer)};
}

crypto::Digest commitment_of(const RecordKeys& keys) {
  constexpr std::string_view kLabel = "sallyport/2/commitment";
  std::array<std::byte, kLabel.size() + 64> both;
  auto end = std::ranges::copy(as_bytes(kLabel), both.begin()).out;
  end = std::ranges::copy(keys.inner.check(), end).out;
  std::ranges::copy(keys.outer.check(), end);
  return crypto::sha256(std::span<const std::byte>(both));
}

void put_number(Bytes& out, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(number >> shift));
}

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (const std::byte byte : bytes.subspan(at, 4)) number = number << 8 | std::to_integer<std::uint32_t>(byte);
  return number;
}

void put_field(Bytes& out, std::span<const std::byte> field) {
  put_number(out, static_cast<std::uint32_t>(field.size()));
  out.insert(out.end(), field.begin(), field.end());
}

// Each part with its length in front: no two identities give the same bytes.
Bytes associated_data(const RecordIdentity& identity, std::span<const std::byte> head) {
  Bytes data;
  put_field(data, head);
  for (const std::string_view part :
       {std::string_view(identity.org.value), std::string_view(identity.table), std::string_view(identity.column),
        std::string_view(identity.record), std::string_view(identity.job.value)}) {
    put_field(data, as_bytes(part));
  }
  return data;
}

Bytes write_head(const SealHeader& header) {
  Bytes head;
  head.reserve(kHeadSize);
  head.push_back(kVersion);
  head.push_back(static_cast<std::byte>(header.key));
  put_number(head, header.global);
  put_number(head, header.inner);
  head.insert(head.end(), header.salt.begin(), header.salt.end());
  return head;
}

std::unexpected<Error> stranger() {
  return fail(Errc::invalid, "the sealed field was changed, or is another record's");
}

}  // namespace

Bytes head_of(const StandingVersions& versions) {
  auto head =
      write_head({.key = KeyClass::standing, .global = versions.global, .inner = versions.organisation, .salt = {}});
  head.resize(head.size() - std::tuple_size_v<Salt>);
  return head;
}

Result<Bytes> seal_record(const SealKeys& keys, const SealHeader& header, const RecordIdentity& identity,
                          std::span<const std::byte> plaintext) {
  SP_TRY(const RecordKeys record, record_keys(keys, header.salt));
  Bytes sealed = write_head(header);
  const Bytes associated = associated_data(identity, sealed);
  SP_TRY(const Bytes inner, crypto::seal_bare(record.inner.key(), kNonce, plaintext, associated));
  SP_TRY(const Bytes outer, crypto::seal_bare(record.outer.key(), kNonce, inner, associated));
  const auto commitment = commitment_of(record);
  sealed.reserve(kSealedHeaderSize + outer.size());
  sealed.insert(sealed.end(), commitment.begin(), commitment.end());
  sealed.insert(sealed.end(), outer.begin(), outer.end());
  return sealed;
}

Result<SealedRecord> split_sealed(std::span<const std::byte> sealed) {
  if (sealed.size() < kSealedOverhead) return fail(Errc::invalid, "not a sealed field: too short");
  if (sealed[0] != kVersion) return fail(Errc::invalid, "not a sealed field of a version this program knows");
  if (sealed[1] > static_cast<std::byte>(KeyClass::archive)) {
    return fail(Errc::invalid, "sealed under a key of a class this program does not know");
  }
  SealedRecord record;
  record.header.key = static_cast<KeyClass>(sealed[1]);
  record.header.global = number_at(sealed, 2);
  record.header.inner = number_at(sealed, 6);
  std::ranges::copy(sealed.subspan(10, record.header.salt.size()), record.header.salt.begin());
  record.head = sealed.first(kHeadSize);
  record.commitment = sealed.subspan(kHeadSize, kSealedHeaderSize - kHeadSize);
  record.body = sealed.subspan(kSealedHeaderSize);
  return record;
}

Result<Secret> open_record(const SealKeys& keys, const SealedRecord& record, const RecordIdentity& identity) {
  SP_TRY(const RecordKeys derived, record_keys(keys, record.header.salt));
  if (!std::ranges::equal(commitment_of(derived), record.commitment)) return stranger();  // no secret: see envelope.md
  const Bytes associated = associated_data(identity, record.head);
  const auto inner = crypto::open_bare(derived.outer.key(), kNonce, record.body, associated);
  if (!inner) return stranger();
  auto plaintext = crypto::open_bare(derived.inner.key(), kNonce, as_bytes(inner->reveal()), associated);
  if (!plaintext) return stranger();
  return plaintext;
}

}  // namespace sallyport::keys
