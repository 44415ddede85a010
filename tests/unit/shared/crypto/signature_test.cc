#include "shared/crypto/signature.h"

#include "tests/support/pki.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;
using test::must;

TEST_CASE("a signature is of one key over one text", "[crypto]") {
  const test::MovableClock clock;
  const test::Pki pki(clock);
  const auto agent = pki.agent();
  const auto other = pki.agent();
  const auto signature = must(sign(agent.key, as_bytes("text")));
  CHECK(has_signed(agent.chain[0], as_bytes("text"), signature));
  CHECK_FALSE(has_signed(agent.chain[0], as_bytes("other text"), signature));
  CHECK_FALSE(has_signed(other.chain[0], as_bytes("text"), signature));
  CHECK_FALSE(has_signed(agent.chain[0], as_bytes("text"), {}));
  auto longer = signature;
  longer.push_back(std::byte{0});
  CHECK_FALSE(has_signed(agent.chain[0], as_bytes("text"), longer));
  CHECK_FALSE(has_signed(agent.chain[0], as_bytes("text"), Bytes(kMaxSignature + 1)));
  for (std::size_t at = 0; at < signature.size(); ++at) {
    auto changed = signature;
    changed[at] ^= std::byte{1};
    INFO("byte " << at);
    REQUIRE_FALSE(has_signed(agent.chain[0], as_bytes("text"), changed));
  }
}
