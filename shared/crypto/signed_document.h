#pragma once

#include "shared/base/value.h"
#include "shared/crypto/signing_key.h"

#include <string>
#include <string_view>

// A JSON document with an Ed25519 signature: {"document": {...}, "key": ID, "signature": base64url}. Signed is the kind
// of document, a line feed, and its canonical JSON (RFC 8785): the form in which it is written does not count.
namespace sallyport::crypto {

inline constexpr std::string_view kReceiptKind = "sallyport-receipt-1";

std::string key_id(std::span<const std::byte> public_key);  // first 16 hexadecimal digits of its SHA-256
Result<Value> sign_document(const SigningKey& key, std::string_view kind, Value document);
// The document. Errc::invalid: no signed document, of another kind, changed, or signed by another key.
Result<Value> check_document(std::span<const std::byte> public_key, std::string_view kind, const Value& signed_one);

}  // namespace sallyport::crypto
