#include "shared/crypto/aead.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::crypto;

namespace {

Bytes unhex(std::string_view text) { return *from_hex(text); }
Secret secret_hex(std::string_view text) { return Secret::take(std::string(as_text(unhex(text)))); }

}  // namespace

TEST_CASE("AES-256-GCM opens the published test vectors", "[crypto]") {
  // From the GCM specification (McGrew, Viega), test cases 13 to 16, in our layout: format, nonce, ciphertext, tag.
  struct Row {
    std::string_view key, nonce, plain, associated, sealed;
  };
  constexpr std::string_view kZeroKey = "0000000000000000000000000000000000000000000000000000000000000000";
  constexpr std::string_view kKey = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
  constexpr std::string_view kPlain =
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba"
      "637b39";
  constexpr std::string_view kCipher =
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
      "bc"
      "c9f662";
  const std::string long_plain = std::string(kPlain) + "1aafd255";
  const std::string long_cipher = std::string(kCipher) + "898015ad" + "b094dac5d93471bdec1a502270e3cc6c";
  const std::string bound_cipher = std::string(kCipher) + "76fc6ece0f4e1768cddf8853bb2d551b";
  const Row rows[] = {
      {kZeroKey, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
      {kZeroKey, "000000000000000000000000", "00000000000000000000000000000000", "",
       "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
      {kKey, "cafebabefacedbaddecaf888", long_plain, "", long_cipher},
      {kKey, "cafebabefacedbaddecaf888", kPlain, "feedfacedeadbeeffeedfacedeadbeefabaddad2", bound_cipher},
  };
  for (const auto& row : rows) {
    INFO(row.sealed);
    const auto sealed = unhex("01" + std::string(row.nonce) + std::string(row.sealed));
    const auto opened = open(secret_hex(row.key), sealed, unhex(row.associated));
    REQUIRE(opened);
    CHECK(hex(as_bytes(opened->reveal())) == row.plain);
  }
}

TEST_CASE("what was sealed opens again, whatever its length", "[crypto]") {
  const auto key = new_aead_key();
  for (std::size_t size : {0u, 1u, 15u, 16u, 17u, 4096u, 100'000u}) {
    const std::string plain(size, 'p');
    const auto sealed = seal(key, as_bytes(plain), as_bytes("row 7"));
    REQUIRE(sealed);
    CHECK(sealed->size() == size + kSealOverhead);
    const auto opened = open(key, *sealed, as_bytes("row 7"));
    REQUIRE(opened);
    CHECK(opened->reveal() == plain);
  }
}

TEST_CASE("a changed bit anywhere, another key or another record does not open", "[crypto]") {
  const auto key = new_aead_key();
  const auto sealed = *seal(key, as_bytes("payload"), as_bytes("row 7"));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    INFO("bit " << bit);
    const auto opened = open(key, changed, as_bytes("row 7"));
    REQUIRE_FALSE(opened);
    REQUIRE(opened.error().code == Errc::invalid);
  }
  CHECK_FALSE(open(key, sealed, as_bytes("row 8")));
  CHECK_FALSE(open(key, sealed, as_bytes("")));
  CHECK_FALSE(open(new_aead_key(), sealed, as_bytes("row 7")));
  CHECK(open(key, sealed, as_bytes("row 7")));
}

TEST_CASE("sealed data cut at every byte does not open", "[crypto]") {
  const auto key = new_aead_key();
  const auto sealed = *seal(key, as_bytes("payload"), {});
  for (std::size_t size = 0; size < sealed.size(); ++size) CHECK_FALSE(open(key, std::span(sealed).first(size), {}));
}

TEST_CASE("every seal has a nonce of its own", "[crypto]") {
  const auto key = new_aead_key();
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(hex(*seal(key, as_bytes("same"), {})));
  CHECK(seen.size() == 100);
}

TEST_CASE("a key of the wrong length is refused", "[crypto]") {
  const auto sealed = seal(Secret::take(std::string(16, 'k')), as_bytes("x"), {});
  REQUIRE_FALSE(sealed);
  CHECK(sealed.error().code == Errc::internal);
  CHECK_FALSE(open(Secret(), Bytes(64), {}));
}

TEST_CASE("HKDF-SHA-256 gives the results of RFC 5869", "[crypto]") {
  const auto first = hkdf_sha256(secret_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                                 unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9"), 42);
  REQUIRE(first);
  CHECK(hex(as_bytes(first->reveal())) ==
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");

  auto counting = [](unsigned from, unsigned to) {
    Bytes out;
    for (unsigned i = from; i < to; ++i) out.push_back(static_cast<std::byte>(i));
    return out;
  };
  const auto second = hkdf_sha256(Secret::take(std::string(as_text(counting(0x00, 0x50)))), counting(0x60, 0xb0),
                                  counting(0xb0, 0x100), 82);
  REQUIRE(second);
  CHECK(
      hex(as_bytes(second->reveal())) ==
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
      "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");

  const auto third = hkdf_sha256(secret_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), {}, {}, 42);
  REQUIRE(third);
  CHECK(hex(as_bytes(third->reveal())) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST_CASE("HKDF refuses what RFC 5869 does not define", "[crypto]") {
  CHECK_FALSE(hkdf_sha256(secret_hex("0b"), {}, {}, 255 * 32 + 1));
  CHECK_FALSE(hkdf_sha256(Secret(), {}, {}, 32));
}
