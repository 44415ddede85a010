#include "shared/crypto/ca.h"

#include "tests/support/pki.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::crypto;
using namespace std::chrono_literals;
using test::must;
using test::Pki;

namespace {

const WallTime kNow = from_unix_ms(1'790'000'000'000);

SigningRequest fresh_request() {
  return must(SigningRequest::from_der(must(make_signing_request(must(PrivateKey::generate())))));
}

}  // namespace

TEST_CASE("the root is a self-signed CA for two levels", "[crypto]") {
  const test::MovableClock clock(kNow);
  const auto root = must(make_root("Example root", clock));
  const auto& certificate = root.certificate;
  CHECK(certificate.subject() == "CN=Example root");
  CHECK(certificate.issuer() == certificate.subject());
  REQUIRE(certificate.ca());
  CHECK(certificate.ca()->path_length == 1);
  CHECK(certificate.allows_certificate_signing());
  CHECK_FALSE(certificate.allows_digital_signature());
  CHECK_FALSE(certificate.allows_client_auth());
  CHECK(certificate.signed_by(certificate));
  CHECK(certificate.not_before() == kNow - kBackdating);
  CHECK(certificate.not_after() == kNow + kRootLifetime);
  CHECK(certificate.public_key_der() == root.key.public_key_der());
  CHECK(certificate.key_pin() == sha256(root.key.public_key_der()));
}

TEST_CASE("a server certificate names what it was made for and nothing else", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock, {"relay.example", "10.0.0.7", "::1"});
  const auto& certificate = pki.server.certificate;
  const std::vector<AltName> expected{{AltName::Kind::dns, "relay.example"},
                                      {AltName::Kind::ip, "10.0.0.7"},
                                      {AltName::Kind::ip, "0000:0000:0000:0000:0000:0000:0000:0001"}};
  CHECK(certificate.alt_names() == expected);
  CHECK_FALSE(certificate.ca());
  CHECK(certificate.allows_server_auth());
  CHECK_FALSE(certificate.allows_client_auth());
  CHECK(certificate.allows_digital_signature());
  CHECK(certificate.signed_by(pki.root.certificate));
  CHECK(certificate.not_after() == kNow + kServerLifetime);
}

TEST_CASE("a server certificate is not made for a malformed name", "[crypto]") {
  const test::MovableClock clock(kNow);
  const auto root = must(make_root("r", clock));
  for (std::string name : {"", "Relay.example", "relay example", "a,b", "1.2.3", "1.2.3.4.5", "::zz", "*.example"}) {
    INFO(name);
    CHECK_FALSE(make_server_certificate(root, {name}, clock));
  }
  CHECK_FALSE(make_server_certificate(root, {}, clock));
}

TEST_CASE("an organisation's issuing CA can only speak for agents", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock);
  const auto& certificate = pki.issuer.certificate;
  REQUIRE(certificate.ca());
  CHECK(certificate.ca()->path_length == 0);
  CHECK(certificate.organisation_name() == pki.org.value);
  CHECK(certificate.allows_client_auth());
  CHECK_FALSE(certificate.allows_server_auth());
  CHECK(certificate.signed_by(pki.root.certificate));
  CHECK_FALSE(make_issuing_ca(pki.root, "Not A Domain", pki.org, clock));
}

TEST_CASE("an agent's certificate says who it is, once", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock);
  const auto agent = pki.agent();
  const auto& leaf = agent.chain.front();
  CHECK(leaf.alt_names() == std::vector<AltName>{{AltName::Kind::uri, to_string(agent.id)}});
  CHECK(leaf.common_name() == agent.id.agent.value);
  CHECK_FALSE(leaf.ca());
  CHECK(leaf.allows_client_auth());
  CHECK_FALSE(leaf.allows_server_auth());
  CHECK(leaf.allows_digital_signature());
  CHECK_FALSE(leaf.allows_certificate_signing());
  CHECK(leaf.signed_by(pki.issuer.certificate));
  CHECK_FALSE(leaf.signed_by(pki.root.certificate));
  CHECK(leaf.public_key_der() == agent.key.public_key_der());
  CHECK(leaf.not_before() == kNow - kBackdating);
  CHECK(leaf.not_after() == kNow + kAgentLifetime);
}

TEST_CASE("serial numbers have 128 bits and do not repeat", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock);
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) serials.insert(pki.agent().chain.front().serial());
  CHECK(serials.size() == 20);
  for (const auto& serial : serials) CHECK(serial.size() == 32);
}

TEST_CASE("the authority refuses lifetimes and organisations outside its rules", "[crypto]") {
  test::MovableClock clock(kNow);
  const Pki pki(clock);
  const SpiffeId id{pki.trust_domain, pki.org, new_id<AgentId>(clock)};
  CHECK(issue_agent_certificate(pki.issuer, fresh_request(), id, 1h, clock));
  CHECK_FALSE(issue_agent_certificate(pki.issuer, fresh_request(), id, 1h - 1s, clock));
  CHECK_FALSE(issue_agent_certificate(pki.issuer, fresh_request(), id, 24h * 30 + 1s, clock));

  auto foreign = id;
  foreign.org = new_id<OrgId>(clock);
  const auto refused = issue_agent_certificate(pki.issuer, fresh_request(), foreign, 1h, clock);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::forbidden);

  auto malformed = id;
  malformed.agent = AgentId("agt_1/../x");
  CHECK_FALSE(issue_agent_certificate(pki.issuer, fresh_request(), malformed, 1h, clock));
}

TEST_CASE("no certificate outlives the one above it", "[crypto]") {
  test::MovableClock clock(kNow);
  const Pki pki(clock);
  clock.advance(kIssuingCaLifetime - 24h);
  CHECK(pki.agent().chain.front().not_after() == pki.issuer.certificate.not_after());
  clock.advance(24h);
  const SpiffeId id{pki.trust_domain, pki.org, new_id<AgentId>(clock)};
  const auto late = issue_agent_certificate(pki.issuer, fresh_request(), id, 1h, clock);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::unavailable);
}

TEST_CASE("certificates survive DER and PEM", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock);
  const auto chain = pki.agent().chain;
  const auto back = must(Certificate::from_der(chain[0].der()));
  CHECK(back == chain[0]);
  CHECK(back.fingerprint() == chain[0].fingerprint());
  CHECK(must(Certificate::from_pem(chain[0].pem())) == chain[0]);
  CHECK(must(parse_pem_bundle("comment\n" + to_pem_bundle(chain) + "trailer\n")) == chain);
}

TEST_CASE("a certificate that is cut, long or followed by more is refused", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock);
  const auto der = pki.root.certificate.der();
  for (std::size_t size = 0; size < der.size(); ++size)
    REQUIRE_FALSE(Certificate::from_der(std::span(der).first(size)));
  auto longer = der;
  longer.push_back(std::byte{0});
  CHECK_FALSE(Certificate::from_der(longer));
  const auto huge = Certificate::from_der(Bytes(kMaxCertificateBytes + 1));
  REQUIRE_FALSE(huge);
  CHECK(huge.error().code == Errc::too_large);
  CHECK_FALSE(Certificate::from_pem("hello"));
  CHECK_FALSE(Certificate::from_pem(""));
  const auto pem = pki.root.certificate.pem();
  CHECK_FALSE(Certificate::from_pem(pem + pem));
  CHECK_FALSE(parse_pem_bundle(pem.substr(0, pem.size() / 2)));
}

TEST_CASE("a changed certificate is not signed by its issuer", "[crypto]") {
  const test::MovableClock clock(kNow);
  const Pki pki(clock);
  const auto der = pki.server.certificate.der();
  REQUIRE(must(Certificate::from_der(der)).signed_by(pki.root.certificate));
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < der.size(); ++at) {
    auto changed = der;
    changed[at] ^= std::byte{0x04};
    const auto forged = Certificate::from_der(changed);
    accepted += forged && forged->signed_by(pki.root.certificate) ? 1 : 0;
  }
  CHECK(accepted == 0);
}
