#include "tests/unit/shared/crypto/vectors.h"
#include "shared/crypto/aead.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;
using test::joined;
using test::secret_of;

TEST_CASE("AES-256-GCM agrees with another implementation on what opens and what does not", "[crypto]") {
  const auto vectors = test::read_vectors("aes_256_gcm.txt", 5);
  std::size_t refused = 0;
  for (const auto& [valid, label, fields] : vectors) {
    INFO(label);
    const std::array format{std::byte{1}};
    const auto opened = open(secret_of(fields[0]), joined({format, fields[1], fields[4]}), fields[2]);
    REQUIRE(opened.has_value() == valid);
    if (valid) CHECK(hex(as_bytes(opened->reveal())) == hex(fields[3]));
    refused += valid ? 0 : 1;
  }
  CHECK(vectors.size() > 70);
  CHECK(refused > 40);
}

TEST_CASE("every format but ours is refused, even of what would open", "[crypto]") {
  for (const auto& [valid, label, fields] : test::read_vectors("aes_256_gcm.txt", 5)) {
    if (!valid) continue;
    for (unsigned format = 0; format < 256; ++format) {
      INFO(label << ", format " << format);
      const std::array first{static_cast<std::byte>(format)};
      const auto opened = open(secret_of(fields[0]), joined({first, fields[1], fields[4]}), fields[2]);
      REQUIRE(opened.has_value() == (format == 1));
    }
  }
}

TEST_CASE("HKDF-SHA-256 agrees with another implementation at the edges of every length", "[crypto]") {
  const auto vectors = test::read_vectors("hkdf_sha256.txt", 4);
  for (const auto& [valid, label, fields] : vectors) {
    INFO(label);
    const auto derived = hkdf_sha256(secret_of(fields[0]), fields[1], fields[2], fields[3].size());
    REQUIRE(derived);
    CHECK(hex(as_bytes(derived->reveal())) == hex(fields[3]));
  }
  CHECK(vectors.size() > 30);
}
