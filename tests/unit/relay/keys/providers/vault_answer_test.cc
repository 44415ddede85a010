#include "relay/keys/providers/vault_answer.h"
#include "relay/keys/providers/framed_key.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::keys;

TEST_CASE("Vault's ciphertext has one form here", "[keys][vault]") {
  const std::string text = "vault:v3:AAECAwQ=";
  const auto packed = pack_ciphertext(text);
  REQUIRE(packed);
  CHECK(hex(*packed) ==
        "0100000003"
        "0001020304");
  CHECK(unpack_ciphertext(*packed) == text);
  CHECK(unpack_ciphertext(*pack_ciphertext("vault:v4294967295:AA==")) == "vault:v4294967295:AA==");
}

TEST_CASE("what is no ciphertext of Vault is neither kept nor sent", "[keys][vault]") {
  for (const char* text :
       {"", "vault", "vault:v", "vault:v1", "vault:v1:", "vault:v0:AAAA", "vault:v-1:AAAA", "vault:v4294967296:AAAA",
        "vault:vx:AAAA", "vault:v1:AAA", "vault:v1:AAE=x", "vault:v1:A A=", "Vault:v1:AAAA"}) {
    INFO(text);
    CHECK(!pack_ciphertext(text));
  }
  CHECK(!pack_ciphertext("vault:v1:AB=="));  // Vault would take it for AA==
  for (const char* bytes : {"", "01", "0100000001", "010000000000", "020000000100", "000000000100"}) {
    INFO(bytes);
    CHECK(!unpack_ciphertext(*from_hex(bytes)));
  }
}

TEST_CASE("a framed key comes back for its purpose alone", "[keys][vault]") {
  const Secret key = Secret::take("0123456789");
  for (const std::string& purpose : {std::string("a"), std::string("tenant/org/1"), std::string(200, 'p')}) {
    const Secret frame = frame_key(purpose, key);
    const auto back = unframe_key(purpose, frame);
    REQUIRE(back);
    CHECK(back->reveal() == key.reveal());
    for (const auto& other : {purpose + "0", purpose.substr(1), std::string("b"), std::string()}) {
      CHECK(!unframe_key(other, frame));
    }
  }
  // The same bytes cut at another place are no other key of another purpose.
  CHECK(!unframe_key("a0", frame_key("a", key)));
}

TEST_CASE("what is no frame holds no key", "[keys][vault]") {
  using std::string_literals::operator""s;
  for (const auto& bytes :
       {""s, "\1"s, "\1\1"s, "\1\1p"s, "\2\1pkey"s, "\1\2pkey"s, "\1\1p"s + std::string(257, 'k')}) {
    std::string copy = bytes;
    CHECK(!unframe_key("p", Secret::take(copy)));
  }
  CHECK(unframe_key("p", Secret::take("\1\1p"s + std::string(256, 'k'))));
}
