#include "relay/store/audit_log.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"

#include <algorithm>

namespace sallyport::store {
namespace {

void put_number(Bytes& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(number >> shift));
}

void put_field(Bytes& out, std::span<const std::byte> field) {
  put_number(out, field.size());
  out.insert(out.end(), field.begin(), field.end());
}

constexpr std::string_view kApart = "apart", kDetail = "detail";

}  // namespace

std::string commitment_of(const AuditText& text) {
  Bytes hashed;
  put_field(hashed, as_bytes("sallyport-audit-text-1"));
  put_field(hashed, text.salt);
  put_field(hashed, as_bytes(text.member));
  put_field(hashed, as_bytes(text.json));
  return base64url(crypto::sha256(hashed));
}

std::string whole_json(const AuditEvent& event) {
  const auto row = parse_json(event.json);
  if (!row || row->find(kApart) == nullptr) return event.json;
  auto whole = row->as_map();
  whole.erase(Value(kApart));
  const auto* detail = row->find(kDetail);
  auto members = detail == nullptr ? ValueMap() : detail->as_map();
  for (const auto& text : event.texts) {
    if (auto value = parse_json(text.json)) members.insert_or_assign(Value(text.member), *std::move(value));
  }
  if (!members.empty()) whole.insert_or_assign(Value(kDetail), Value(std::move(members)));
  return canonical_json(Value(std::move(whole)));
}

std::string fault_of_texts(const AuditEvent& event, std::uint64_t& erased) {
  if (event.texts.empty() && !event.json.contains(R"("apart":)")) return {};
  const auto row = parse_json(event.json);
  const auto* apart = row ? row->find(kApart) : nullptr;
  if (apart == nullptr || !apart->is(Value::Kind::map)) {
    return event.texts.empty() ? std::string() : "a text beside it is not its own";
  }
  for (const auto& text : event.texts) {
    const auto* commitment = apart->find(text.member);
    if (commitment == nullptr) return "a text beside it is not its own";
    if (*commitment != Value(commitment_of(text))) return "a text beside it was changed";
  }
  erased += apart->as_map().size() - event.texts.size();
  return {};
}

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
