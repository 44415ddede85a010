#include "relay/keys/local_envelope.h"

#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"

namespace sallyport::keys {
namespace {

void put_field(Bytes& out, std::span<const std::byte> field) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(field.size() >> shift));
  out.insert(out.end(), field.begin(), field.end());
}

// Each part with its length in front: no two identities give the same bytes.
Bytes associated_data(const RecordIdentity& identity, std::span<const std::byte> header) {
  Bytes data;
  put_field(data, as_bytes("sallyport-record-1"));
  put_field(data, header);
  put_field(data, as_bytes(identity.org.value));
  put_field(data, as_bytes(identity.table));
  put_field(data, as_bytes(identity.column));
  put_field(data, as_bytes(identity.record));
  return data;
}

Result<Secret> record_key(const MasterKey& master, const Salt& salt) {
  return crypto::hkdf_sha256(master.key, salt, as_bytes("sallyport-record-key-1"), crypto::kAeadKeySize);
}

std::string name_of(const RecordIdentity& identity) { return identity.table + "." + identity.column; }

Result<Bytes> seal_record(const MasterKey& master, const RecordIdentity& identity,
                          std::span<const std::byte> plaintext) {
  Salt salt;
  crypto::fill_random(salt);
  Bytes sealed = write_header(master.id, salt);
  SP_TRY(Secret key, record_key(master, salt));
  SP_TRY(Bytes body, crypto::seal(key, plaintext, associated_data(identity, sealed)));
  sealed.insert(sealed.end(), body.begin(), body.end());
  return sealed;
}

Result<Secret> open_record(const MasterKey& master, const RecordIdentity& identity, std::span<const std::byte> sealed) {
  SP_TRY(SealedRecord record, split_sealed(sealed));
  if (record.key != master.id) {
    return fail(Errc::unavailable, "sealed under master key " + hex(record.key) +
                                       ", and this relay has another: put the key back that belongs to its database");
  }
  SP_TRY(Secret key, record_key(master, record.salt));
  auto opened = crypto::open(key, record.body, associated_data(identity, record.header));
  if (!opened) return fail(Errc::invalid, "the sealed field was changed, or belongs to another record");
  return opened;
}

}  // namespace

boost::asio::awaitable<Result<Bytes>> LocalEnvelope::seal(RecordIdentity identity,
                                                          std::span<const std::byte> plaintext) {
  auto sealed = seal_record(key_, identity, plaintext);
  if (!sealed) co_return in_context(name_of(identity), std::move(sealed).error());
  co_return sealed;
}

boost::asio::awaitable<Result<Secret>> LocalEnvelope::open(RecordIdentity identity, std::span<const std::byte> sealed) {
  auto opened = open_record(key_, identity, sealed);
  if (!opened) co_return in_context(name_of(identity), std::move(opened).error());
  co_return opened;
}

}  // namespace sallyport::keys
