#include "shared/crypto/hpke.h"

#include "shared/crypto/openssl.h"
#include "tests/support/pki.h"
#include "tests/unit/shared/crypto/vectors.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::crypto;
using test::joined;
using test::must;

namespace {

// PKCS#8 around the bare scalar; libcrypto works out the point.
PrivateKey key_of(std::span<const std::byte> scalar) {
  const Bytes head = *from_hex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420");
  std::string pem = "-----BEGIN PRIVATE KEY-----\n" + base64(joined({head, scalar})) + "\n-----END PRIVATE KEY-----\n";
  return must(PrivateKey::from_pem(Secret::take(pem)));
}

PrivateKey key_of(std::string_view scalar) { return key_of(*from_hex(scalar)); }

struct Sealed {
  PrivateKey recipient = must(PrivateKey::generate());
  HpkeBinding binding{as_bytes("credential"), as_bytes("org 1, connection erp-db")};
  Bytes bytes = must(hpke_seal(must(PublicKey::from_point(recipient.public_point())), as_bytes("payload"), binding));

  Result<Secret> open(std::span<const std::byte> changed) const { return hpke_open(recipient, changed, binding); }
};

Bytes with_bit(std::span<const std::byte> bytes, std::size_t bit) {
  Bytes changed(bytes.begin(), bytes.end());
  changed[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
  return changed;
}

}  // namespace

TEST_CASE("HPKE gives the CFRG's vector for base mode with P-256, HKDF-SHA256 and AES-256-GCM", "[crypto]") {
  // RFC 9180, appendix A refers to the file: mode 0, kem_id 16, kdf_id 1, aead_id 2, its first encryption.
  const auto ephemeral = key_of("90345e3a1d116c1dd39ae76d95ab858c142223a63e44f8f85318cfa91a84858e");
  const auto recipient = key_of("317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2");
  const std::string_view point =
      "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c0"
      "21238f9e2073d2356c";
  const std::string_view enc =
      "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff53"
      "70d331a4f1f7d5a4e0";
  const std::string_view text =
      "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f";
  const HpkeBinding binding{as_bytes("Ode on a Grecian Urn"), as_bytes("Count-0")};
  const std::string_view plain = "Beauty is truth, truth beauty";

  CHECK(hex(recipient.public_point()) == point);
  const auto sealed =
      must(hpke_seal_with(ephemeral, must(PublicKey::from_point(*from_hex(point))), as_bytes(plain), binding));
  CHECK(hex(sealed) == std::string(enc) + std::string(text));
  CHECK(must(hpke_open(recipient, sealed, binding)).reveal() == plain);
}

TEST_CASE("HPKE agrees with another implementation on what it seals and what it opens", "[crypto]") {
  const auto vectors = test::read_vectors("hpke.txt", 6);
  for (const auto& [valid, label, fields] : vectors) {
    INFO(label);
    const auto recipient = key_of(fields[1]);
    const HpkeBinding binding{fields[2], fields[3]};
    const auto opened = hpke_open(recipient, fields[5], binding);
    REQUIRE(opened.has_value() == valid);
    if (valid) CHECK(hex(as_bytes(opened->reveal())) == hex(fields[4]));
    const auto sealed = must(
        hpke_seal_with(key_of(fields[0]), must(PublicKey::from_point(recipient.public_point())), fields[4], binding));
    CHECK((hex(sealed) == hex(fields[5])) == valid);
  }
  CHECK(vectors.size() > 50);
}

TEST_CASE("what was sealed to a key opens again, whatever its length, and is never the same twice", "[crypto]") {
  const auto recipient = must(PrivateKey::generate());
  const auto to = must(PublicKey::from_point(recipient.public_point()));
  std::set<Bytes> seen;
  for (std::size_t size : {0u, 0u, 1u, 1u, 16u, 4096u, 100'000u}) {
    const std::string plain(size, 'p');
    const auto sealed = must(hpke_seal(to, as_bytes(plain), {}));
    CHECK(sealed.size() == size + kHpkeOverhead);
    CHECK(must(hpke_open(recipient, sealed, {})).reveal() == plain);
    CHECK(seen.insert(Bytes(sealed.begin(), sealed.begin() + kPointSize)).second);
  }
}

TEST_CASE("a changed bit anywhere in what was sealed to a key keeps it shut", "[crypto]") {
  const Sealed sealed;
  for (std::size_t bit = 0; bit < sealed.bytes.size() * 8; ++bit) {
    INFO("bit " << bit);
    const auto opened = sealed.open(with_bit(sealed.bytes, bit));
    REQUIRE_FALSE(opened);
    REQUIRE(opened.error().code == Errc::invalid);
  }
  CHECK(sealed.open(sealed.bytes));
}

TEST_CASE("what was sealed to a key opens for its purpose and its place alone", "[crypto]") {
  const Sealed sealed;
  const auto opens = [&](std::span<const std::byte> info, std::span<const std::byte> aad) {
    return hpke_open(sealed.recipient, sealed.bytes, {info, aad}).has_value();
  };
  const auto [info, aad] = sealed.binding;
  for (std::size_t bit = 0; bit < info.size() * 8; ++bit) REQUIRE_FALSE(opens(with_bit(info, bit), aad));
  for (std::size_t bit = 0; bit < aad.size() * 8; ++bit) REQUIRE_FALSE(opens(info, with_bit(aad, bit)));
  for (std::size_t size = 0; size < info.size(); ++size) REQUIRE_FALSE(opens(info.first(size), aad));
  for (std::size_t size = 0; size < aad.size(); ++size) REQUIRE_FALSE(opens(info, aad.first(size)));
  CHECK_FALSE(opens(aad, info));
  CHECK_FALSE(hpke_open(must(PrivateKey::generate()), sealed.bytes, sealed.binding));
  CHECK(opens(info, aad));
}

TEST_CASE("what was sealed to a key and is cut or longer does not open", "[crypto]") {
  const Sealed sealed;
  for (std::size_t size = 0; size < sealed.bytes.size(); ++size) {
    INFO("cut after byte " << size);
    const auto opened = sealed.open(std::span(sealed.bytes).first(size));
    REQUIRE_FALSE(opened);
    REQUIRE(opened.error().code == Errc::invalid);
  }
  CHECK_FALSE(sealed.open(joined({sealed.bytes, std::array{std::byte{0}}})));
}

TEST_CASE("only an uncompressed point on the curve is a public key", "[crypto]") {
  const auto good = must(PrivateKey::generate()).public_point();
  REQUIRE(good.size() == kPointSize);
  CHECK(must(PublicKey::from_point(good)).point() == good);
  std::size_t accepted = 0;
  for (std::size_t bit = 8; bit < good.size() * 8; ++bit)
    accepted += PublicKey::from_point(with_bit(good, bit)) ? 1 : 0;
  CHECK(accepted == 0);
  for (unsigned first = 0; first < 256; ++first) {
    auto changed = good;
    changed[0] = static_cast<std::byte>(first);
    INFO("first byte " << first);
    REQUIRE(PublicKey::from_point(changed).has_value() == (first == 4));
  }
  for (std::size_t size = 0; size < good.size(); ++size)
    REQUIRE_FALSE(PublicKey::from_point(std::span(good).first(size)));
  CHECK_FALSE(PublicKey::from_point(joined({good, std::array{std::byte{0}}})));
  CHECK_FALSE(PublicKey::from_point(Bytes(kPointSize)));
  const KeyHandle p384(EVP_EC_gen("P-384"));
  const auto refused = PublicKey::from_point(to_der<i2d_PUBKEY>(p384.get()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::invalid);
}

TEST_CASE("a key whose file holds a compressed point seals and opens as any other", "[crypto]") {
  const auto key = must(PrivateKey::generate());
  const auto plain_point = key.public_point();
  EVP_PKEY_set_utf8_string_param(key.native(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                 OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED);
  const auto again = must(PrivateKey::from_pem(key.to_pem()));
  CHECK(again.public_key_der().size() < key.public_point().size());  // it is compressed there
  CHECK(again.public_point() == plain_point);
  const auto sealed = must(hpke_seal(must(PublicKey::from_point(plain_point)), as_bytes("payload"), {}));
  CHECK(must(hpke_open(again, sealed, {})).reveal() == "payload");
}

TEST_CASE("both sides of an agreement reach the same secret, and nobody else", "[crypto]") {
  const auto one = must(PrivateKey::generate());
  const auto two = must(PrivateKey::generate());
  const auto three = must(PrivateKey::generate());
  const auto point_of = [](const PrivateKey& key) { return must(PublicKey::from_point(key.public_point())); };
  const auto agreed = must(one.shared_with(point_of(two)));
  CHECK(agreed.size() == 32);
  CHECK(agreed.reveal() == must(two.shared_with(point_of(one))).reveal());
  CHECK(agreed.reveal() != must(three.shared_with(point_of(one))).reveal());
}
