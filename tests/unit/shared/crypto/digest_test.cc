#include "shared/crypto/digest.h"

#include "shared/base/text.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;

namespace {

Bytes unhex(std::string_view text) { return *from_hex(text); }
Secret secret(std::string text) { return Secret::take(text); }
Secret secret_hex(std::string_view text) { return secret(std::string(as_text(unhex(text)))); }

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples", "[crypto]") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("SHA-256 of a flow does not depend on how it is cut", "[crypto]") {
  const std::string text = "The quick brown fox jumps over the lazy dog, twice around the block.";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 flow;
    flow.update(as_bytes(std::string_view(text).substr(0, cut)));
    flow.update(as_bytes(std::string_view(text).substr(cut)));
    REQUIRE(flow.finish() == sha256(text));
  }
}

TEST_CASE("SHA-256 of a flow starts afresh after finish", "[crypto]") {
  Sha256 flow;
  flow.update(as_bytes("first"));
  flow.finish();
  flow.update(as_bytes("abc"));
  CHECK(flow.finish() == sha256("abc"));
  CHECK(flow.finish() == sha256(""));
}

TEST_CASE("HMAC-SHA-256 gives the results of RFC 4231", "[crypto]") {
  struct Row {
    std::string key;
    std::string data;
    std::string_view mac;
  };
  const Row rows[] = {
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
       "hashed "
       "before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const auto& row : rows) {
    INFO(row.data);
    CHECK(hex(hmac_sha256(secret(row.key), {as_bytes(row.data)})) == row.mac);
  }
  CHECK(hex(hmac_sha256(secret_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                        {as_bytes(std::string(50, '\xcd'))})) ==
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

TEST_CASE("HMAC runs over the concatenation of its parts", "[crypto]") {
  const auto key = secret("key");
  CHECK(hmac_sha256(key, {as_bytes("ab"), as_bytes(""), as_bytes("c")}) == hmac_sha256(key, {as_bytes("abc")}));
  CHECK(hmac_sha256(key, {as_bytes("abc")}) != hmac_sha256(secret("kez"), {as_bytes("abc")}));
}

TEST_CASE("constant-time comparison tells equal from different", "[crypto]") {
  CHECK(constant_time_equal(as_bytes(""), as_bytes("")));
  CHECK(constant_time_equal(as_bytes("abc"), as_bytes("abc")));
  CHECK_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("abd")));
  CHECK_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("ab")));
}
