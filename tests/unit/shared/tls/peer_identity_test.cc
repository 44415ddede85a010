#include "shared/tls/peer_identity.h"

#include "tests/support/pki.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::test;
namespace reason = tls::reason;

TEST_CASE("the identity of a verified chain is what its leaf says", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto agent = pki.agent();
  const std::vector chain{agent.chain[0], agent.chain[1], pki.root.certificate};
  const auto identity = tls::check_agent_chain(chain, pki.trust_domain);
  REQUIRE(identity);
  CHECK(identity->id == agent.id);
  CHECK(identity->serial == agent.chain[0].serial());
}

TEST_CASE("a chain of another shape has no identity", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const Pki other(clock);
  const auto agent = pki.agent();
  const auto& leaf = agent.chain[0];
  const auto& issuer = agent.chain[1];
  const auto& root = pki.root.certificate;
  struct Row {
    std::string_view reason;
    std::vector<crypto::Certificate> chain;
    std::string trust_domain = "relay.test";
  };
  const Row rows[] = {
      {reason::kNoCertificate, {}},
      {reason::kWrongCa, {leaf}},
      {reason::kWrongCa, {leaf, root}},
      {reason::kWrongCa, {leaf, issuer, issuer, root}},
      {reason::kWrongRole, {issuer, root}},
      {reason::kWrongRole, {pki.server.certificate, root}},
      {reason::kWrongOrganisation, {leaf, other.issuer.certificate, root}},
      {reason::kWrongOrganisation, {leaf, root, root}},
      {reason::kBadSan, {leaf, issuer, root}, "other.test"},
      {reason::kBadSan, {leaf, issuer, root}, ""},
  };
  for (const auto& row : rows) {
    const auto identity = tls::check_agent_chain(row.chain, row.trust_domain);
    REQUIRE_FALSE(identity);
    INFO(identity.error().error.message);
    CHECK(identity.error().reason == row.reason);
  }
}
