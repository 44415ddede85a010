#include "shared/crypto/signed_document.h"

#include "shared/base/json.h"
#include "shared/crypto/digest.h"

namespace sallyport::crypto {
namespace {

std::string signed_text(std::string_view kind, const Value& document) {
  return std::string(kind) + "\n" + canonical_json(document);
}

const Value* text_in(const Value& map, std::string_view member) {
  const auto* found = map.find(member);
  return found != nullptr && found->is(Value::Kind::string) ? found : nullptr;
}

}  // namespace

std::string key_id(std::span<const std::byte> public_key) { return hex(sha256(public_key)).substr(0, 16); }

Result<Value> sign_document(const SigningKey& key, std::string_view kind, Value document) {
  SP_TRY(const auto public_key, key.public_key());
  SP_TRY(const auto signature, key.sign(as_bytes(signed_text(kind, document))));
  return Value(ValueMap{{Value("document"), std::move(document)},
                        {Value("key"), Value(key_id(public_key))},
                        {Value("signature"), Value(base64url(signature))}});
}

Result<Value> check_document(std::span<const std::byte> public_key, std::string_view kind, const Value& signed_one) {
  const auto* document = signed_one.find("document");
  const auto* key = text_in(signed_one, "key");
  const auto* signature = text_in(signed_one, "signature");
  if (document == nullptr || key == nullptr || signature == nullptr) {
    return fail(Errc::invalid, "not a signed document: it needs the members document, key and signature");
  }
  if (key->as_string() != key_id(public_key)) {
    return fail(Errc::invalid,
                "signed with the key " + key->as_string().substr(0, 64) + ", not with " + key_id(public_key));
  }
  SP_TRY(const auto bytes, from_base64url(signature->as_string()));
  SP_CHECK(check_signature(public_key, as_bytes(signed_text(kind, *document)), bytes));
  return *document;
}

}  // namespace sallyport::crypto
