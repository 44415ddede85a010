#include "relay/cli/sealed_order.h"

#include "shared/sealing/system_key.h"
#include "tests/unit/shared/sealing/agents.h"

#include <catch2/catch.hpp>

// What a workstation makes of the sealing keys that a relay shows it, honest or not.
using namespace sallyport;
using namespace sallyport::cli;
using test::must;

namespace {

Value listed(const AgentId& agent, std::string_view name, const std::optional<sealing::Statement>& statement) {
  return Value(ValueMap{{Value("agent"), Value(agent.value)},
                        {Value("name"), Value(name)},
                        {Value("statement"), statement ? Value(base64url(sealing::to_bytes(*statement))) : Value()}});
}

struct Workstation {
  test::MovableClock clock;
  test::Pki pki{clock};
  test::SealingAgent first{pki.agent()};
  test::SealingAgent second{pki.agent()};
  KeyToSeal key{GroupId("grp_1"), "erp-db", 4};

  const AgentId& id(const test::SealingAgent& agent) const { return agent.identity.id.agent; }
  Result<SealedOrder> seal(const ValueList& list, std::vector<std::string> fingerprints = {}) const {
    sealing::Credentials credentials;
    credentials.emplace("password", Secret::take("s3cret-one"));
    return seal_to_agents(list, {pki.root.certificate, pki.org, std::move(fingerprints)}, key, credentials,
                          clock.wall());
  }
  Errc refusal(const ValueList& list, std::vector<std::string> fingerprints = {}) const {
    const auto order = seal(list, std::move(fingerprints));
    if (order) FAIL("it was sealed");
    CHECK_THAT(order.error().message, Catch::Contains("nothing was sealed or set"));
    CHECK_THAT(order.error().message, !Catch::Contains("s3cret"));
    return order.error().code;
  }
};

}  // namespace

TEST_CASE("credentials are sealed to every agent of the list, to each alone", "[cli][system_keys]") {
  const Workstation at;
  const auto order = must(at.seal(
      {listed(at.id(at.first), "one", at.first.statement(2)), listed(at.id(at.second), "two", at.second.statement())}));
  REQUIRE(order.to.size() == 2);
  CHECK(order.to[0].fingerprint == sealing::fingerprint_of(at.first.key.public_point()));
  CHECK(order.left_out.empty());
  const auto& sealed = order.sealed.at(Value(at.id(at.first).value));
  CHECK(sealed.find("generation")->as_int() == 2);
  const auto bytes = must(from_base64url(sealed.find("sealed")->as_string()));
  const sealing::SealedFor binding{at.pki.org, at.key.group, "erp-db", 4, at.id(at.first), 2};
  CHECK(must(sealing::open_credentials(at.first.key, binding, bytes)).at("password").reveal() == "s3cret-one");
  CHECK_FALSE(sealing::open_credentials(at.second.key, binding, bytes));
}

TEST_CASE("a key that is not its agent's is sealed to by nobody, and nothing else is either", "[cli][system_keys]") {
  const Workstation at;
  const auto honest = listed(at.id(at.first), "one", at.first.statement());
  REQUIRE(at.seal({honest}));  // positive control

  SECTION("another agent's in its place") {
    CHECK(at.refusal({honest, listed(at.id(at.first), "one", at.second.statement())}) == Errc::unauthenticated);
  }
  SECTION("the relay's own point in an agent's statement") {
    auto bent = at.second.statement();
    bent.point = must(crypto::PrivateKey::generate()).public_point();
    CHECK(at.refusal({honest, listed(at.id(at.second), "two", bent)}) == Errc::unauthenticated);
  }
  SECTION("an agent of another organisation of this deployment") {
    const OrgId other = crypto::new_id<OrgId>(at.clock);
    const auto issuer = must(crypto::make_issuing_ca(at.pki.root, at.pki.trust_domain, other, at.clock));
    const crypto::SpiffeId id{at.pki.trust_domain, other, crypto::new_id<AgentId>(at.clock)};
    auto key = must(crypto::PrivateKey::generate());
    const auto request = must(crypto::SigningRequest::from_der(must(crypto::make_signing_request(key))));
    const auto leaf = must(crypto::issue_agent_certificate(issuer, request, id, crypto::kAgentLifetime, at.clock));
    const auto statement =
        must(sealing::make_statement(id, 1, must(crypto::PrivateKey::generate()), key, {leaf, issuer.certificate}));
    REQUIRE(sealing::verify_statement(statement, at.pki.root.certificate, at.clock.wall()));  // a good one, of others
    CHECK(at.refusal({honest, listed(id.agent, "two", statement)}) == Errc::unauthenticated);
  }
  SECTION("an agent of another deployment") {
    const test::Pki elsewhere(at.clock);
    const test::SealingAgent stranger{elsewhere.agent()};
    CHECK(at.refusal({honest, listed(stranger.identity.id.agent, "two", stranger.statement())}) ==
          Errc::unauthenticated);
  }
  SECTION("bytes that are no statement") {
    auto list = ValueList{honest, Value(ValueMap{{Value("agent"), Value("agt_x")},
                                                 {Value("name"), Value("x")},
                                                 {Value("statement"), Value("AAAA")}})};
    CHECK(at.refusal(list) == Errc::unauthenticated);
  }
  SECTION("one agent twice") { CHECK(at.refusal({honest, honest}) == Errc::unauthenticated); }
  SECTION("a sealing key that is not among those named") {
    const auto named = sealing::fingerprint_of(at.first.key.public_point());
    REQUIRE(at.seal({honest}, {named}));
    CHECK(at.refusal({honest, listed(at.id(at.second), "two", at.second.statement())}, {named}) ==
          Errc::unauthenticated);
  }
}

TEST_CASE("agents that have said no key, or were away for long, are left out and told", "[cli][system_keys]") {
  Workstation at;
  const auto old = at.second.statement();
  at.clock.advance(crypto::kAgentLifetime + std::chrono::hours(1));
  const test::SealingAgent fresh{at.pki.agent()};
  const auto order = must(at.seal({listed(at.id(fresh), "one", fresh.statement()), listed(at.id(at.second), "two", old),
                                   listed(at.id(at.first), "three", std::nullopt)}));
  CHECK(order.to.size() == 1);
  REQUIRE(order.left_out.size() == 2);
  CHECK_THAT(order.left_out[0].why, Catch::Contains("certificate has ended"));
  CHECK_THAT(order.left_out[1].why, Catch::Contains("no sealing key yet"));
  auto forged = old;  // its time is over, and it is another's besides
  forged.point = fresh.key.public_point();
  CHECK(at.refusal({listed(at.id(at.second), "two", forged)}) == Errc::unauthenticated);
}
