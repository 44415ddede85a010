#include "shared/base/json.h"
#include "shared/crypto/signed_document.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;
using namespace sallyport::test;

namespace {

Secret seed_of(std::string_view hex_text) {
  const auto bytes = must(from_hex(hex_text));
  return Secret::take(std::string(as_text(bytes)));
}

}  // namespace

TEST_CASE("Ed25519 signs as RFC 8032 section 7.1 says", "[crypto][signature]") {
  struct Vector {
    const char *seed, *public_key, *message, *signature;
  };
  const Vector vectors[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
       "46"
       "55141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
       "eb"
       "00d291612bb0c00"},
  };
  for (const auto& vector : vectors) {
    const auto key = must(SigningKey::from_seed(seed_of(vector.seed)));
    CHECK(hex(must(key.public_key())) == vector.public_key);
    CHECK(hex(must(key.sign(must(from_hex(vector.message))))) == vector.signature);
    CHECK(must(key.seed()).reveal() == seed_of(vector.seed).reveal());
  }
}

TEST_CASE("a signature holds for its key and message alone", "[crypto][signature]") {
  const auto key = must(SigningKey::generate());
  const auto public_key = must(key.public_key());
  const auto other = must(must(SigningKey::generate()).public_key());
  auto signature = must(key.sign(as_bytes("said")));
  CHECK(check_signature(public_key, as_bytes("said"), signature));
  CHECK(!check_signature(public_key, as_bytes("sad"), signature));
  CHECK(!check_signature(other, as_bytes("said"), signature));
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    signature[bit / 8] ^= std::byte{1} << (bit % 8);
    CHECK(!check_signature(public_key, as_bytes("said"), signature));
    signature[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  CHECK(!check_signature(public_key, as_bytes("said"), std::span(signature).first(63)));
  CHECK(!check_signature(std::span(public_key).first(31), as_bytes("said"), signature));
  CHECK(!check_signature({}, as_bytes("said"), signature));
}

TEST_CASE("a public key goes through PEM, and no other kind does", "[crypto][signature]") {
  const auto public_key = must(must(SigningKey::generate()).public_key());
  const auto pem = must(public_key_pem(public_key));
  CHECK(must(public_key_from_pem(pem)) == public_key);
  CHECK(!public_key_from_pem(""));
  CHECK(!public_key_from_pem(pem.substr(0, 40)));
  CHECK(!public_key_from_pem(std::string(5'000, 'x')));
  CHECK(!SigningKey::from_seed(Secret::take(std::string("short"))));
}

TEST_CASE("a signed document holds in any form of writing, and not when a word is another", "[crypto][signature]") {
  const auto key = must(SigningKey::generate());
  const auto public_key = must(key.public_key());
  const Value document(ValueMap{{Value("b"), Value(2)}, {Value("a"), Value("ü")}});
  const auto signed_one = must(sign_document(key, kReceiptKind, document));
  const auto check = [&](const std::string& text) {
    return check_document(public_key, kReceiptKind, must(parse_json(text)));
  };
  CHECK(must(check(to_json(signed_one))) == document);
  CHECK(must(check(to_pretty_json(signed_one))) == document);
  auto changed = to_json(signed_one);
  changed.replace(changed.find("\"b\":2"), 5, "\"b\":3");
  CHECK(!check(changed));
  CHECK(!check_document(public_key, "another-kind-1", signed_one));
  const auto other = must(must(SigningKey::generate()).public_key());
  const auto refused = check_document(other, kReceiptKind, signed_one);
  REQUIRE(!refused);
  CHECK(refused.error().message.find(key_id(other)) != std::string::npos);
  for (const char* text : {"{}", "[]", R"({"document":{},"key":1,"signature":"x"})", R"({"key":"x","signature":"x"})"})
    CHECK(!check(text));
}
