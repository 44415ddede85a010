#include "relay/store/audit_log.h"
#include "shared/crypto/digest.h"

namespace sallyport::store {
namespace {

void put_number(Bytes& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(number >> shift));
}

void put_field(Bytes& out, std::span<const std::byte> field) {
  put_number(out, field.size());
  out.insert(out.end(), field.begin(), field.end());
}

}  // namespace

Bytes chain_hash(std::span<const std::byte> previous_hash, std::uint64_t seq, const AuditEvent& event) {
  Bytes hashed;
  put_field(hashed, as_bytes("sallyport-audit-1"));
  put_field(hashed, previous_hash);
  put_number(hashed, seq);
  put_field(hashed, as_bytes(event.id.value));
  put_number(hashed, static_cast<std::uint64_t>(unix_ms(event.at)));
  put_field(hashed, as_bytes(event.json));
  const crypto::Digest digest = crypto::sha256(hashed);
  return Bytes(digest.begin(), digest.end());
}

}  // namespace sallyport::store
