#include "relay/keys/sealed_record.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::keys;

TEST_CASE("a header splits into what was written", "[keys][header]") {
  KeyId key;
  Salt salt;
  key.fill(std::byte{0xab});
  salt.fill(std::byte{0xcd});
  Bytes sealed = write_header(key, salt);
  REQUIRE(sealed.size() == kSealedHeaderSize);
  CHECK(
      hex(sealed).starts_with("01abababababababab"
                              "cdcd"));
  sealed.push_back(std::byte{0xef});
  auto record = split_sealed(sealed);
  REQUIRE(record);
  CHECK(record->key == key);
  CHECK(record->salt == salt);
  CHECK(record->header.size() == kSealedHeaderSize);
  CHECK(hex(record->body) == "ef");
}

TEST_CASE("headers that are short or of another version are refused", "[keys][header]") {
  Bytes sealed = write_header({}, {});
  sealed.push_back(std::byte{0});
  for (std::size_t size = 0; size <= kSealedHeaderSize; ++size) {
    INFO("cut to " << size);
    CHECK(split_sealed(std::span(sealed).first(size)).error().code == Errc::invalid);
  }
  REQUIRE(split_sealed(sealed));
  for (int version = 0; version < 256; ++version) {
    sealed[0] = static_cast<std::byte>(version);
    CHECK(split_sealed(sealed).has_value() == (version == 1));
  }
}
