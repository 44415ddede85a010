#include "tests/unit/shared/tls/forge.h"
#include "tests/unit/shared/tls/meeting.h"

#include <functional>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using crypto::AltName;
using crypto::Certificate;
namespace asio = boost::asio;
namespace reason = tls::reason;

namespace {

struct Row {
  std::string what;
  std::string_view reason;
  std::vector<Certificate> chain;
};

std::vector<Row> name_rows(const Forge& forge) {
  const auto good = forge.id();
  auto with = [&](AltName::Kind kind, std::string text) { return AltName{kind, std::move(text)}; };
  std::vector<Row> rows;
  auto bad = [&](std::string what, std::vector<AltName> names) {
    rows.push_back({std::move(what), reason::kBadSan, forge.named(std::move(names))});
  };
  bad("no alternative name", {});
  bad("the same URI twice", {with(AltName::Kind::uri, good), with(AltName::Kind::uri, good)});
  bad("a second URI", {with(AltName::Kind::uri, good), with(AltName::Kind::uri, good + "x")});
  bad("a URI and a DNS name", {with(AltName::Kind::uri, good), with(AltName::Kind::dns, "relay.test")});
  bad("a URI and an address", {with(AltName::Kind::uri, good), with(AltName::Kind::ip, "127.0.0.1")});
  bad("a DNS name", {with(AltName::Kind::dns, "relay.test")});
  bad("a DNS name that reads like the id", {with(AltName::Kind::dns, good)});
  bad("a mail address", {with(AltName::Kind::email, "agent@relay.test")});
  bad("an upper-case trust domain", uri(forge.id("Relay.test")));
  bad("an upper-case scheme", uri("SPIFFE://relay.test" + forge.path()));
  bad("another scheme", uri("https://relay.test" + forge.path()));
  bad("another trust domain", uri(forge.id("other.test")));
  bad("a trust domain below ours", uri(forge.id("sub.relay.test")));
  bad("a trust domain above ours", uri(forge.id("test")));
  bad("a port", uri(forge.id("relay.test:443")));
  bad("a user", uri(forge.id("user@relay.test")));
  bad("a user that looks like our host", uri(forge.id("relay.test@other.test")));
  bad("a trailing dot", uri(forge.id("relay.test.")));
  bad("a trailing slash", uri(good + "/"));
  bad("a query", uri(good + "?a=b"));
  bad("a fragment", uri(good + "#a"));
  bad("an empty segment", uri("spiffe://relay.test/" + forge.path()));
  bad("percent encoding", uri(forge.id("relay%2etest")));
  bad("a NUL and more", uri(good + std::string("\0x", 2)));
  bad("no agent", uri("spiffe://relay.test/org/" + forge.pki.org.value));
  bad("a user id", uri("spiffe://relay.test/org/" + forge.pki.org.value + "/user/" + forge.agent.value));
  bad("an empty URI", uri(""));
  return rows;
}

std::vector<Row> role_rows(const Forge& forge) {
  std::vector<Row> rows;
  auto bad = [&](std::string what, const std::function<void(Plan&)>& spoil) {
    rows.push_back({std::move(what), reason::kWrongRole, forge.spoilt(spoil)});
  };
  bad("no extended usage", [](Plan& plan) { plan.extended_usage = 0; });
  bad("server authentication", [](Plan& plan) { plan.extended_usage = NID_server_auth; });
  bad("code signing", [](Plan& plan) { plan.extended_usage = NID_code_sign; });
  bad("any extended usage", [](Plan& plan) { plan.extended_usage = NID_anyExtendedKeyUsage; });
  bad("no key usage", [](Plan& plan) { plan.key_usage.clear(); });
  bad("key encipherment only", [](Plan& plan) { plan.key_usage = {crypto::kKeyEnciphermentBit}; });
  bad("certificate signing besides",
      [](Plan& plan) { plan.key_usage = {crypto::kDigitalSignatureBit, crypto::kCertificateSigningBit}; });
  bad("a CA as leaf", [](Plan& plan) {
    plan.authority = 0;
    plan.key_usage = {crypto::kDigitalSignatureBit, crypto::kCertificateSigningBit};
  });
  return rows;
}

std::vector<Row> time_rows(const Forge& forge) {
  auto between = [&](std::chrono::hours from, std::chrono::hours until) {
    return forge.spoilt([&](Plan& plan) {
      plan.from = from;
      plan.until = until;
    });
  };
  return {{"expired an hour ago", reason::kExpired, between(-48h, -1h)},
          {"expired a year ago", reason::kExpired, between(-24h * 400, -24h * 365)},
          {"valid from tomorrow", reason::kNotYetValid, between(24h, 48h)},
          {"valid until before it begins", reason::kNotYetValid, between(2h, 1h)}};
}

std::vector<Row> issuer_rows(const Forge& forge) {
  const auto plan = forge.good();
  const auto& pki = forge.pki;
  const Pki elsewhere(pki.clock);
  const auto imitation = must(crypto::make_issuing_ca(elsewhere.root, pki.trust_domain, pki.org, pki.clock));
  Plan below_plan = plan;
  below_plan.authority = 0;
  below_plan.key_usage = {crypto::kCertificateSigningBit};
  const auto below = forge.leaf(below_plan, pki.issuer);
  crypto::CertificateDraft last;
  last.subject("", "below").valid(pki.clock.wall() - 1h, pki.clock.wall() + 1h).public_key(forge.key.native());
  last.end_entity().key_usage(plan.key_usage).extended_usage(NID_client_auth).alt_names(plan.names);
  const auto too_deep = must(last.sign(forge.key.native(), &below));
  return {
      {"another root", reason::kWrongCa, {forge.leaf(plan, imitation), imitation.certificate}},
      {"another root, sent along",
       reason::kWrongCa,
       {forge.leaf(plan, imitation), imitation.certificate, elsewhere.root.certificate}},
      {"signed by another key than its issuer's",
       reason::kWrongCa,
       {forge.leaf(plan, imitation), pki.issuer.certificate}},
      {"without its issuer", reason::kWrongCa, {forge.leaf(plan, pki.issuer)}},
      {"self-signed", reason::kWrongCa, {forge.self_signed(plan)}},
      {"directly below the root", reason::kWrongCa, {forge.leaf(plan, pki.root)}},
      {"below an agent's certificate", reason::kWrongRole, {too_deep, below, pki.issuer.certificate}},
      {"another organisation's CA",
       reason::kWrongOrganisation,
       {forge.leaf(plan, forge.other_org), forge.other_org.certificate}},
  };
}

// The CA certificates themselves, shown as if they were an agent's.
std::vector<std::pair<Row, const crypto::PrivateKey*>> authority_rows(const Forge& forge) {
  return {{{"the organisation's CA", reason::kWrongRole, {forge.pki.issuer.certificate}}, &forge.pki.issuer.key},
          {{"the root", reason::kWrongRole, {forge.pki.root.certificate}}, &forge.pki.root.key},
          {{"the relay's own certificate", reason::kWrongRole, {forge.pki.server.certificate}}, &forge.pki.server.key}};
}

asio::awaitable<void> expect(const Forge& forge, const Row& row, const crypto::PrivateKey& key) {
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(row.what << ", " << name(version));
    auto agent = must(tls::make_link_client_context({row.chain, key, forge.pki.root.certificate}, forge.pki.clock));
    auto met = co_await meet_to_refuse(relay_context(forge.pki), limited_to(std::move(agent), version));
    const std::string detail = met.relay ? "accepted" : met.relay.error().error.message;
    INFO(detail);
    REQUIRE((met.relay ? "" : met.relay.error().reason) == row.reason);
    CHECK(met.heard.code == Errc::unauthenticated);
  }
}

asio::awaitable<void> expect_all(const Forge& forge, std::vector<Row> rows) {
  for (const auto& row : rows) co_await expect(forge, row, forge.key);
}

struct ServerRow {
  std::string what;
  std::string_view reason;  // "" = accepted
  std::string host = "127.0.0.1";
  std::function<void(Plan&)> spoil = {};
};

// A relay that shows a forged certificate of the right root.
tls::ServerContext forged_relay(const Forge& forge, const ServerRow& row) {
  Plan plan;
  plan.names = {{AltName::Kind::ip, "127.0.0.1"}, {AltName::Kind::dns, "relay.test"}};
  plan.extended_usage = NID_server_auth;
  if (row.spoil) row.spoil(plan);
  return must(tls::make_server_context(
      {forge.leaf(plan, forge.pki.root), forge.key, forge.pki.root.certificate, forge.pki.trust_domain},
      forge.pki.clock));
}

std::vector<ServerRow> server_rows() {
  return {
      {"its address", ""},
      {"its name", "", "relay.test"},
      {"its name in other letters", "", "Relay.Test"},
      {"another address", reason::kWrongHost, "127.0.0.2"},
      {"another name", reason::kWrongHost, "other.test"},
      {"a name below", reason::kWrongHost, "a.relay.test"},
      {"a wildcard", reason::kWrongHost, "a.wild.test",
       [](Plan& plan) { plan.names = {{AltName::Kind::dns, "*.wild.test"}}; }},
      {"only a common name", reason::kWrongHost, "forged", [](Plan& plan) { plan.names.clear(); }},
      {"an address written as a DNS name", reason::kWrongHost, "127.0.0.1",
       [](Plan& plan) { plan.names = {{AltName::Kind::dns, "127.0.0.1"}}; }},
      {"expired", reason::kExpired, "127.0.0.1",
       [](Plan& plan) {
         plan.from = -48h;
         plan.until = -1h;
       }},
      {"from tomorrow", reason::kNotYetValid, "127.0.0.1",
       [](Plan& plan) {
         plan.from = 24h;
         plan.until = 48h;
       }},
      {"for clients", reason::kWrongRole, "127.0.0.1", [](Plan& plan) { plan.extended_usage = NID_client_auth; }},
      {"without usage", reason::kWrongRole, "127.0.0.1", [](Plan& plan) { plan.extended_usage = 0; }},
      {"a CA", reason::kWrongRole, "127.0.0.1",
       [](Plan& plan) {
         plan.authority = 0;
         plan.key_usage = {crypto::kDigitalSignatureBit, crypto::kCertificateSigningBit};
       }},
  };
}

}  // namespace

ASYNC_TEST_CASE("a forged agent that is valid in everything is accepted", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  for (auto version : {Version::tls12, Version::tls13}) {
    auto agent = must(tls::make_link_client_context({forge.spoilt([](Plan&) {}), forge.key, forge.pki.root.certificate},
                                                    forge.pki.clock));
    auto met = co_await meet(relay_context(forge.pki), limited_to(std::move(agent), version));
    REQUIRE(met.relay);
    CHECK((*met.relay)->facts().agent->id.agent == forge.agent);
  }
}

ASYNC_TEST_CASE("an agent whose name is not exactly one id is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  co_await expect_all(forge, name_rows(forge));
}

ASYNC_TEST_CASE("a certificate that is not for agents is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  co_await expect_all(forge, role_rows(forge));
  for (const auto& [row, key] : authority_rows(forge)) co_await expect(forge, row, *key);
}

ASYNC_TEST_CASE("an agent outside its certificate's time is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  co_await expect_all(forge, time_rows(forge));
}

ASYNC_TEST_CASE("an agent whose time is over is named, and something else that is wrong goes before",
                "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  const auto expired = [&](const std::function<void(Plan&)>& spoil) {
    return forge.spoilt([&](Plan& plan) {
      spoil(plan);
      plan.from = -48h;
      plan.until = -1h;
    });
  };
  const auto nothing = [](Plan&) {};
  auto of_others = forge.good();
  of_others.from = -48h;
  of_others.until = -1h;
  const Row rows[] = {
      {"only expired", reason::kExpired, expired(nothing)},
      {"without a name", reason::kBadSan, expired([](Plan& plan) { plan.names.clear(); })},
      {"for a server", reason::kWrongRole, expired([](Plan& plan) { plan.extended_usage = NID_server_auth; })},
      {"of no issuer of ours", reason::kWrongCa, {forge.self_signed(of_others)}},
      {"not valid yet", reason::kNotYetValid, forge.spoilt([](Plan& plan) { plan.from = 1h; })},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    auto agent =
        must(tls::make_link_client_context({row.chain, forge.key, forge.pki.root.certificate}, forge.pki.clock));
    const auto met = co_await meet_to_refuse(relay_context(forge.pki), std::move(agent));
    REQUIRE_FALSE(met.relay);
    CHECK(met.relay.error().reason == row.reason);
    const auto& shown = met.relay.error().agent;
    REQUIRE(shown.has_value() == (row.reason == reason::kExpired));
    if (!shown) continue;
    CHECK(shown->id.agent == forge.agent);
    CHECK(shown->serial == row.chain.front().serial());
    CHECK(met.heard.message.find("certificate expired") != std::string::npos);
  }
}

ASYNC_TEST_CASE("an agent of another issuer than its organisation's is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  co_await expect_all(forge, issuer_rows(forge));
}

ASYNC_TEST_CASE("the clock that is handed in decides about validity", "[tls][certificates]") {
  MovableClock clock;
  const Pki pki(clock);
  const auto agent = pki.agent(1h);
  for (auto step : {0min, 59min, 2min}) {
    clock.advance(step);
    auto met = co_await meet(relay_context(pki), agent_context(pki, agent));
    CHECK((met.relay ? "" : met.relay.error().reason) == (step == 2min ? reason::kExpired : ""));
  }
}

ASYNC_TEST_CASE("a relay that is not the one the agent looks for is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  for (const auto& row : server_rows()) {
    for (auto version : {Version::tls12, Version::tls13}) {
      INFO(row.what << ", " << name(version));
      auto link = limited_to(agent_context(forge.pki), version);
      auto met = co_await meet(forged_relay(forge, row), std::move(link), row.host);
      CHECK((met.agent ? "" : met.agent.error().reason) == row.reason);
      if (!met.agent) CHECK((met.relay ? "" : met.relay.error().reason) == reason::kRefusedByPeer);

      auto enrol =
          limited_to(must(tls::make_enrol_client_context(forge.pki.root.certificate.key_pin(), clock)), version);
      auto enrolled = co_await meet(forged_relay(forge, row), std::move(enrol), row.host);
      CHECK((enrolled.agent ? "" : enrolled.agent.error().reason) == row.reason);
    }
  }
}

ASYNC_TEST_CASE("a relay of another root is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Pki ours(clock);
  const Pki theirs(clock);
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    auto link = co_await meet(relay_context(theirs), limited_to(agent_context(ours), version));
    REQUIRE_FALSE(link.agent);
    CHECK(link.agent.error().reason == reason::kWrongCa);
    CHECK(link.agent.error().issuer == theirs.server.certificate.issuer());
    auto context = must(tls::make_enrol_client_context(ours.root.certificate.key_pin(), clock));
    auto enrol = co_await meet(relay_context(theirs), limited_to(std::move(context), version));
    REQUIRE_FALSE(enrol.agent);
    CHECK(enrol.agent.error().reason == reason::kWrongPin);
    CHECK(enrol.agent.error().issuer == theirs.server.certificate.issuer());
    CHECK(enrol.agent.error().error.code == Errc::unauthenticated);
  }
}

ASYNC_TEST_CASE("a relay that shows the pinned root beside a foreign certificate is refused", "[tls][certificates]") {
  const MovableClock clock;
  const Pki ours(clock);
  const Pki theirs(clock);
  const auto relay = relay_context(theirs);
  SSL_CTX_add1_chain_cert(relay.core()->ssl.get(), ours.root.certificate.native());
  auto context = must(tls::make_enrol_client_context(ours.root.certificate.key_pin(), clock));
  auto met = co_await meet(relay, std::move(context));
  REQUIRE_FALSE(met.agent);
  CHECK(met.agent.error().reason == reason::kWrongCa);
}

ASYNC_TEST_CASE("an organisation's CA cannot speak for the relay", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  Plan plan;
  plan.names = {{AltName::Kind::ip, "127.0.0.1"}};
  plan.extended_usage = NID_server_auth;
  const auto leaf = forge.leaf(plan, forge.pki.issuer);
  const auto relay = relay_context(forge.pki);
  auto* ssl = relay.core()->ssl.get();
  SSL_CTX_use_certificate(ssl, leaf.native());
  SSL_CTX_use_PrivateKey(ssl, forge.key.native());
  SSL_CTX_add1_chain_cert(ssl, forge.pki.issuer.certificate.native());
  auto met = co_await meet(relay, agent_context(forge.pki));
  REQUIRE_FALSE(met.agent);
  CHECK(met.agent.error().reason == reason::kWrongRole);
}
