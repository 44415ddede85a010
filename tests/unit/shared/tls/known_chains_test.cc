#include "shared/tls/known_chains.h"

#include "tests/unit/shared/tls/meeting.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tls::KnownChains;
namespace asio = boost::asio;
namespace reason = tls::reason;

namespace {

crypto::Digest digest_of(int number) { return crypto::sha256(std::to_string(number)); }

tls::PeerIdentity identity_of(const Pki& pki, const AgentKeyPair& agent) {
  const std::vector chain{agent.chain[0], agent.chain[1], pki.root.certificate};
  auto identity = tls::check_agent_chain(chain, pki.trust_domain);
  if (!identity) throw std::runtime_error(identity.error().error.message);
  return *std::move(identity);
}

tls::ClientContext showing(const Pki& pki, std::vector<crypto::Certificate> chain, const crypto::PrivateKey& key) {
  return must(tls::make_link_client_context({std::move(chain), key, pki.root.certificate}, pki.clock));
}

// Changes the last byte of its signature.
crypto::Certificate with_other_signature(const crypto::Certificate& certificate) {
  auto der = certificate.der();
  der.back() ^= std::byte{1};
  return must(crypto::Certificate::from_der(der));
}

asio::awaitable<std::string> outcome(tls::ServerContext relay, tls::ClientContext agent) {
  auto met = co_await meet_to_refuse(std::move(relay), std::move(agent));
  co_return std::string(met.relay ? "accepted" : met.relay.error().reason);
}

}  // namespace

TEST_CASE("a chain is known from its first to its last valid moment, and not outside", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto agent = pki.agent(1h);
  const std::vector chain{agent.chain[0], agent.chain[1], pki.root.certificate};
  const auto valid = tls::validity_of(chain);
  CHECK(valid.begin == std::max({chain[0].not_before(), chain[1].not_before(), chain[2].not_before()}));
  CHECK(valid.end == agent.chain[0].not_after());
  KnownChains known;
  CHECK_FALSE(known.find(digest_of(1), valid.begin));
  known.remember(digest_of(1), identity_of(pki, agent), valid);
  CHECK_FALSE(known.find(digest_of(1), valid.begin - 1ms));
  CHECK(known.find(digest_of(1), valid.begin));
  CHECK(known.find(digest_of(1), valid.end - 1ms));
  CHECK_FALSE(known.find(digest_of(1), valid.end));
  CHECK_FALSE(known.find(digest_of(2), valid.begin));
  const auto found = known.find(digest_of(1), valid.begin);
  REQUIRE(found);
  CHECK(found->id == agent.id);
  CHECK(found->serial == agent.chain[0].serial());
  CHECK(found->key == agent.chain[0].key_pin());
}

TEST_CASE("what was not shown for longest is forgotten", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto agent = identity_of(pki, pki.agent());
  const auto now = clock.wall();
  KnownChains known(3);
  for (int i = 0; i < 3; ++i) known.remember(digest_of(i), agent, {now, now + 1h});
  CHECK(known.find(digest_of(0), now));
  known.remember(digest_of(3), agent, {now, now + 1h});
  CHECK(known.size() == 3);
  CHECK(known.find(digest_of(0), now));
  CHECK_FALSE(known.find(digest_of(1), now));
}

ASYNC_TEST_CASE("an agent that comes again is known, and has to prove everything else anew", "[tls]") {
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    MovableClock clock;
    const Pki pki(clock);
    const auto agent = pki.agent(1h);
    const auto relay = relay_context(pki);
    const auto& known = *relay.core()->known;
    for (int i = 0; i < 2; ++i) {
      auto met = co_await meet(relay, limited_to(agent_context(pki, agent), version));
      REQUIRE(met.relay);
      REQUIRE((*met.relay)->facts().agent);
      CHECK((*met.relay)->facts().agent->id == agent.id);
      CHECK((*met.relay)->facts().agent->serial == agent.chain[0].serial());
      CHECK(known.size() == 1);
    }
    auto forged = showing(pki, {with_other_signature(agent.chain[0]), agent.chain[1]}, agent.key);
    const auto with_forged = co_await outcome(relay, limited_to(std::move(forged), version));
    CHECK(with_forged == reason::kWrongCa);
    auto headless = showing(pki, {agent.chain[0]}, agent.key);
    const auto without_issuer = co_await outcome(relay, limited_to(std::move(headless), version));
    CHECK(without_issuer == reason::kWrongCa);
    CHECK(known.size() == 1);
    clock.advance(1h);
    const auto late = co_await outcome(relay, limited_to(agent_context(pki, agent), version));
    CHECK(late == reason::kExpired);
  }
}

// The session holds no certificate but the agent's own: each costs some 4 KiB as long as the link lives.
ASYNC_TEST_CASE("what an agent showed above its own certificate is not held", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto agent = pki.agent();
  const auto relay = relay_context(pki);
  static int count = -1;
  SSL_CTX_set_info_callback(relay.core()->ssl.get(), [](const SSL* ssl, int where, int) {
    if ((where & SSL_CB_WRITE) == 0) return;
    auto* chain = SSL_get_peer_cert_chain(ssl);
    count = chain == nullptr ? -2 : sk_X509_num(chain);
  });
  for (int i = 0; i < 2; ++i) {
    auto met = co_await meet(relay, agent_context(pki, agent));
    REQUIRE(met.relay);
    count = -1;
    (*met.relay)->close();  // an alert, which the callback sees
    CHECK(count == 0);
  }
}
