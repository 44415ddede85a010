// Who is not let in at the real gateway: each with its reason in the relay's log, and words at the other end that an
// operator can use. The whole table of certificates is in tests/unit/shared/tls.
#include "shared/crypto/certificate_draft.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/unit/shared/tls/meeting.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace reason = tls::reason;

namespace {

constexpr std::string_view kLinkOffer = "\x0bsallyport/1";

// What the caller hears, in its handshake or by its first read.
awaitable<std::string> call(GatewayRig& rig, tls::ClientContext context) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  auto socket = co_await rig.connect();
  auto stream = co_await tls::connect_tls(std::move(socket), std::move(context), "127.0.0.1", deadline);
  if (!stream) co_return stream.error().error.message;
  std::byte buffer[16];
  const auto got = co_await (*stream)->read_some(buffer);
  co_return got ? "let in" : got.error().message;
}

bool tells_secrets(const LinesSink& lines, const agent::Identity& identity) {
  const auto pem = identity.key.to_pem();
  const auto line_of_key = pem.reveal().substr(pem.reveal().find('\n') + 1, 40);
  return std::ranges::any_of(lines.lines, [&](const auto& line) {
    return line.find("PRIVATE KEY") != std::string::npos || line.find(line_of_key) != std::string::npos;
  });
}

struct Shown {
  std::string what;
  std::vector<crypto::Certificate> chain;
  const crypto::PrivateKey* key;
  std::string_view reason;
  std::string heard;
};

// A leaf under a CA of our own organisation that names an agent of another one.
std::vector<crypto::Certificate> of_another_organisation(const IdentityWorld& world, OrgId ours, OrgId theirs,
                                                         const crypto::PrivateKey& key) {
  const auto& deployment = world.deployment;
  const crypto::Authority root{deployment.root, must(crypto::PrivateKey::from_pem(deployment.root_key->to_pem()))};
  const auto issuer = must(crypto::make_issuing_ca(root, deployment.trust_domain, ours, world.clock));
  const crypto::SpiffeId id{deployment.trust_domain, theirs, crypto::new_id<AgentId>(world.clock)};
  crypto::CertificateDraft draft;
  draft.subject("", "forged").valid(world.clock.wall() - 1h, world.clock.wall() + 1h).public_key(key.native());
  const std::vector<int> usage{crypto::kDigitalSignatureBit};
  const std::vector<crypto::AltName> names{{crypto::AltName::Kind::uri, to_string(id)}};
  draft.end_entity().key_usage(usage).extended_usage(NID_client_auth).alt_names(names);
  return {must(draft.sign(issuer.key.native(), &issuer.certificate)), issuer.certificate};
}

}  // namespace

ASYNC_TEST_CASE("certificates that are not an agent's of this deployment, and what both sides say of them", "[link]") {
  auto loop = co_await asio::this_coro::executor;
  GatewayRig rig(loop), foreign(loop);
  co_await rig.start();
  co_await foreign.start();
  const auto good = co_await rig.enrolled();
  const auto stranger = co_await foreign.enrolled();
  const auto other = co_await rig.world.settle("theirs");
  const auto& server = rig.world.deployment.server;
  const std::vector<Shown> table = {
      {"of another deployment", stranger.chain, &stranger.key, reason::kWrongCa, "unknown CA"},
      {"an agent id of another organisation", of_another_organisation(rig.world, rig.tenant.org, other.org, good.key),
       &good.key, reason::kWrongOrganisation, "bad certificate"},
      {"the relay's own certificate", {server.certificate}, &server.key, reason::kWrongRole, "unsupported certificate"},
      {"without its issuer", {good.chain[0]}, &good.key, reason::kWrongCa, "unknown CA"},
  };
  for (const auto version : {Version::tls12, Version::tls13}) {
    for (const auto& shown : table) {
      INFO(shown.what << ", " << name(version));
      rig.lines.lines.clear();
      auto context = must(tls::make_link_client_context({shown.chain, *shown.key, good.root}, rig.world.clock));
      const auto heard = co_await call(rig, limited_to(std::move(context), version));
      CAPTURE(heard);
      CHECK(heard.find("did not accept our certificate: " + shown.heard) != std::string::npos);
      const bool logged = co_await rig.until([&] { return rig.lines.has({"link.refused", shown.reason}); });
      CAPTURE(rig.lines.lines);
      CHECK(logged);
      CHECK_FALSE(tells_secrets(rig.lines, good));
    }
  }
  CHECK(rig.links.count() == 0);
  co_await rig.finish();
  co_await foreign.finish();
}

ASYNC_TEST_CASE("an agent whose certificate is out of date is told so, and says so", "[link]") {
  const auto way = GENERATE(agent::Way::direct, agent::Way::websocket);
  INFO(static_cast<int>(way));
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  struct Case {  // the last one: it is the agent that refuses first
    std::chrono::hours moved;
    std::string_view reason;
    std::string heard;
  };
  for (const auto& one : {Case{24h * 31, reason::kExpired, "certificate expired"},
                          Case{-24h * 40, reason::kRefusedByPeer, "not yet valid"}}) {
    INFO(one.reason);
    rig.lines.lines.clear();
    rig.world.clock.advance(one.moved);
    RealAgent agent(rig, identity, "none", 1, way);
    agent.start();
    const bool logged = co_await rig.until([&] { return rig.lines.has({"link.refused", one.reason}); });
    CHECK(logged);
    const bool told =
        co_await rig.until([&] { return agent.status().last_problem.find(one.heard) != std::string::npos; });
    CAPTURE(agent.status().last_problem);
    CHECK(told);
    CHECK(agent.lines.has({one.heard, "this machine's clock says", "valid from"}));
    CHECK(rig.lines.has({"link.refused", one.reason, "this machine's clock says", "valid from"}));
    CHECK(agent.links == 0);
    CHECK(agent.status().state == agent::LinkState::connecting);  // it goes on trying: a clock may be wrong
    CHECK_FALSE(tells_secrets(agent.lines, identity));
    co_await agent.finish();
  }
  co_await rig.finish();
}

ASYNC_TEST_CASE("a clock that jumped is named by both sides, with what the certificates say", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  KeptIdentity identities;
  must(identities.install(identity));
  const auto real = rig.world.clock.wall();
  const agent::Dialer dialer(rig.loop, "none", agent::process_environment);
  for (const auto moved : {24h * 400, -24h * 400}) {
    INFO(moved.count());
    const MovableClock wrong(real + moved);
    agent::TlsTransport transport(dialer, identities, wrong);
    const auto stream = co_await transport.connect(identity.relay, std::chrono::steady_clock::now() + 10s);
    REQUIRE_FALSE(stream);
    const auto& message = stream.error().message;
    CAPTURE(message);
    const auto says = [&](const std::string& words) { return message.find(words) != std::string::npos; };
    CHECK(says(moved > 0h ? "tls.expired" : "tls.not_yet_valid"));
    CHECK(says("this machine's clock says " + rfc3339(real + moved).substr(0, 10)));
    CHECK(says("it is valid from "));
    CHECK(says("if the clock is wrong, set it"));
    const bool logged = co_await rig.until([&] {
      return rig.lines.has({"tls.refused_by_peer", "did not accept our certificate", "; ours is valid from ",
                            "this machine's clock says " + rfc3339(real).substr(0, 10)});
    });
    CHECK(logged);
    rig.lines.lines.clear();
  }
  co_await rig.finish();
}

ASYNC_TEST_CASE("clients with old TLS, weak suites, no certificate or no protocol of ours get nowhere", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  struct Case {
    std::string what;
    std::string_view offer;
    int newest;
    const char* suites;
    std::string_view reason;
  };
  const std::vector<Case> cases = {
      {"no certificate, 1.3", kLinkOffer, TLS1_3_VERSION, "ALL", reason::kNoCertificate},
      {"no certificate, 1.2", kLinkOffer, TLS1_2_VERSION, "ALL", reason::kNoCertificate},
      {"TLS 1.1", kLinkOffer, TLS1_1_VERSION, "ALL", reason::kVersion},
      {"CBC", kLinkOffer, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA", reason::kCipher},
      {"RSA key exchange", kLinkOffer, TLS1_2_VERSION, "AES128-GCM-SHA256", reason::kCipher},
      {"a browser", "\x02h2\x08http/1.1", TLS1_3_VERSION, "ALL", reason::kAlpn},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    rig.lines.lines.clear();
    auto context = careless_client(rig.world.clock, one.offer);
    SSL_CTX_set_max_proto_version(context.core()->ssl.get(), one.newest);
    SSL_CTX_set_cipher_list(context.core()->ssl.get(), one.suites);
    const auto heard = co_await call(rig, std::move(context));
    CHECK(heard != "let in");
    const bool logged = co_await rig.until([&] { return rig.lines.has({"link.refused", one.reason}); });
    CAPTURE(rig.lines.lines);
    CHECK(logged);
  }
  CHECK(rig.links.count() == 0);
  RealAgent agent(rig, identity);  // positive control
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  co_await agent.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("nobody resumes a session with the gateway", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  for (const auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    Resumption seen;
    auto context = limited_to(
        must(tls::make_link_client_context({identity.chain, identity.key, identity.root}, rig.world.clock)), version);
    seen.tempt(context);
    for (int i = 0; i < 3; ++i) {
      auto socket = co_await rig.connect();
      auto stream =
          co_await tls::connect_tls(std::move(socket), context, "127.0.0.1", std::chrono::steady_clock::now() + 5s);
      REQUIRE(stream);
      const auto greeting = hello();
      must(co_await (*stream)->write_all(greeting));
      std::byte buffer[64];
      const auto got = co_await (*stream)->read_some(buffer);  // the relay's Welcome, after any ticket
      CHECK(got.value_or(0) > 0);
    }
    CHECK(seen.handshakes == 3);
    CHECK(seen.resumed == 0);
    CHECK(seen.resumable == 0);
  }
  co_await rig.finish();
}
