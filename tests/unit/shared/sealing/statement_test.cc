#include "shared/sealing/statement.h"

#include "shared/crypto/signature.h"
#include "shared/sealing/limits.h"
#include "tests/unit/shared/sealing/agents.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::sealing;
using test::must;

namespace {

struct Site {
  test::MovableClock clock;
  test::Pki pki{clock};
  test::SealingAgent agent{pki.agent()};

  Result<Recipient> believed(const Statement& statement) const {
    return verify_statement(statement, pki.root.certificate, clock.wall());
  }
};

Errc code_of(const Result<Recipient>& result) { return result ? Errc::internal : result.error().code; }

}  // namespace

TEST_CASE("an agent's word for its sealing key is believed below the root, in its bytes too", "[sealing]") {
  const Site site;
  const auto statement = must(parse_statement(to_bytes(site.agent.statement(7))));
  const auto recipient = must(site.believed(statement));
  CHECK(recipient.agent == site.agent.identity.id);
  CHECK(recipient.generation == 7);
  CHECK(recipient.key.point() == site.agent.key.public_point());
}

TEST_CASE("a key that a dishonest relay puts in place of the agent's is refused", "[sealing]") {
  const Site site;
  const test::SealingAgent other{site.pki.agent()};
  auto statement = site.agent.statement();

  SECTION("another agent's key") { statement.point = other.key.public_point(); }
  SECTION("another agent's key with that agent's signature") {
    statement.point = other.key.public_point();
    statement.signature = other.statement().signature;
  }
  SECTION("another agent's certificate") { statement.chain = other.statement().chain; }
  SECTION("another generation") { statement.generation = 2; }
  SECTION("a signature over something else") {
    statement.signature = must(crypto::sign(site.agent.identity.key, as_bytes("hello")));
  }
  SECTION("no signature of anybody") { statement.signature.assign(70, std::byte{7}); }
  CHECK(code_of(site.believed(statement)) == Errc::unauthenticated);
}

TEST_CASE("the word of an agent of another deployment is refused, and one whose time is over", "[sealing]") {
  Site site;
  const test::Pki elsewhere(site.clock);
  const test::SealingAgent stranger{elsewhere.agent()};
  CHECK(code_of(site.believed(stranger.statement())) == Errc::unauthenticated);
  REQUIRE(verify_statement(stranger.statement(), elsewhere.root.certificate, site.clock.wall()));  // it is good there

  const auto statement = site.agent.statement();
  REQUIRE(site.believed(statement));
  site.clock.advance(crypto::kAgentLifetime + std::chrono::minutes(1));
  CHECK(code_of(site.believed(statement)) == Errc::unauthenticated);
}

TEST_CASE("whose certificate is no agent's has no word", "[sealing]") {
  const Site site;
  const auto& pki = site.pki;
  const auto said_by = [&](const crypto::PrivateKey& key, crypto::ClientChain chain) {
    return must(make_statement(site.agent.identity.id, 1, site.agent.key, key, std::move(chain)));
  };
  CHECK(code_of(site.believed(said_by(pki.server.key, {pki.server.certificate, pki.issuer.certificate}))) ==
        Errc::unauthenticated);
  CHECK(code_of(site.believed(said_by(pki.issuer.key, {pki.issuer.certificate, pki.root.certificate}))) ==
        Errc::unauthenticated);
  CHECK(code_of(site.believed(said_by(pki.root.key, {pki.root.certificate, pki.root.certificate}))) ==
        Errc::unauthenticated);
}

TEST_CASE("the CA of one organisation does not speak for another's agents", "[sealing]") {
  const Site site;
  const auto& pki = site.pki;
  const OrgId other = crypto::new_id<OrgId>(site.clock);
  const auto foreign = must(crypto::make_issuing_ca(pki.root, pki.trust_domain, other, site.clock));
  // The relay's own code does not issue it; the rule has to hold for a CA that does.
  const auto request =
      must(crypto::SigningRequest::from_der(must(crypto::make_signing_request(site.agent.identity.key))));
  const crypto::SpiffeId theirs{pki.trust_domain, other, site.agent.identity.id.agent};
  auto leaf = must(crypto::issue_agent_certificate(foreign, request, theirs, crypto::kAgentLifetime, site.clock));
  const auto statement = must(
      make_statement(site.agent.identity.id, 1, site.agent.key, site.agent.identity.key, {leaf, foreign.certificate}));
  CHECK(code_of(site.believed(statement)) == Errc::unauthenticated);  // signed for one organisation, shown for another
  auto mixed = site.agent.statement();
  mixed.chain.issuer = foreign.certificate;
  CHECK(code_of(site.believed(mixed)) == Errc::unauthenticated);
}

TEST_CASE("points that are none are no statement", "[sealing]") {
  const Site site;
  const auto with_point = [&](Bytes point) {
    auto statement = site.agent.statement();
    statement.point = std::move(point);
    return parse_statement(to_bytes(statement));
  };
  auto off_curve = site.agent.key.public_point();
  off_curve.back() ^= std::byte{1};
  auto compressed = site.agent.key.public_point();
  compressed.resize(33);
  compressed[0] = std::byte{2};
  Bytes infinity(crypto::kPointSize);
  Bytes hybrid = site.agent.key.public_point();
  hybrid[0] = std::byte{6};

  REQUIRE(with_point(site.agent.key.public_point()));
  for (const auto& point : {off_curve, compressed, infinity, hybrid, Bytes{std::byte{0}}, Bytes{}}) {
    INFO(hex(point));
    CHECK_FALSE(with_point(point));
  }
}

TEST_CASE("a statement cut or lengthened at any byte is none", "[sealing]") {
  const Site site;
  const auto whole = to_bytes(site.agent.statement());
  REQUIRE(parse_statement(whole));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    REQUIRE_FALSE(parse_statement(std::span(whole).first(cut)));
  }
  auto longer = whole;
  longer.push_back(std::byte{0});
  CHECK_FALSE(parse_statement(longer));
  CHECK_FALSE(parse_statement(Bytes(kMostStatement + 1)));
}

TEST_CASE("a statement with any bit flipped is not believed", "[sealing]") {
  const Site site;
  const auto whole = to_bytes(site.agent.statement());
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 3) {  // every byte, at one bit or more
    auto changed = whole;
    changed[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    const auto statement = parse_statement(changed);
    if (!statement) continue;
    INFO("bit " << bit);
    REQUIRE_FALSE(site.believed(*statement));
  }
}

TEST_CASE("a fingerprint is what two people can read to each other", "[sealing]") {
  const Bytes point(crypto::kPointSize, std::byte{4});
  const auto fingerprint = fingerprint_of(point);
  CHECK(fingerprint.size() == 39);
  CHECK(fingerprint[4] == '-');
  CHECK(fingerprint == fingerprint_of(point));
  CHECK(fingerprint != fingerprint_of(Bytes(crypto::kPointSize, std::byte{5})));
}
