#include "shared/async/task_group.h"
#include "shared/tls/peer_identity.h"
#include "tests/support/broken_ledger.h"
#include "tests/unit/relay/identity/world.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> count_outcome(IdentityWorld& world, const crypto::EnrolmentString& parts,
                                    std::map<std::string, int>& outcomes, std::set<std::string>& serials) {
  const Applicant applicant;
  auto outcome = co_await world.enrolments.redeem(world.ask(parts, applicant), applicant.exporter);
  ++outcomes[std::string(outcome ? "enrolled" : outcome.error().code)];
  if (outcome) serials.insert(outcome->certificate.serial());
}

asio::awaitable<std::string> code_of(IdentityWorld& world, identity::EnrolmentAsk ask, Bytes exporter) {
  auto outcome = co_await world.enrolments.redeem(std::move(ask), std::move(exporter));
  co_return std::string(outcome ? "enrolled" : outcome.error().code);
}

}  // namespace

ASYNC_TEST_CASE("an enrolment string turns into an agent and its certificate", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  CHECK(parts.relay_host == "relay.test");
  CHECK(parts.relay_port == 8443);
  CHECK(parts.api_url == "https://relay.test");
  CHECK(parts.root_pin == world.deployment.root.key_pin());
  CHECK(parts.expires == world.clock.wall() + 1h);

  const Applicant applicant;
  auto enrolled = co_await world.enrolments.redeem(world.ask(parts, applicant), applicant.exporter);
  REQUIRE(enrolled);
  CHECK(enrolled->org == ours.org);
  CHECK(enrolled->group == "dc1");
  CHECK(enrolled->trust_domain == "relay.test");
  CHECK(enrolled->root == world.deployment.root);
  CHECK(enrolled->certificate.public_key_der() == applicant.key.public_key_der());
  const auto peer = world.peer_of(*enrolled);
  CHECK(peer.id == crypto::SpiffeId{"relay.test", ours.org, enrolled->agent});

  const auto agent = co_await world.stores.agents.find(ours.org, enrolled->agent);
  REQUIRE(agent);
  CHECK(agent->name == "erp1");
  CHECK(agent->group == ours.group);
  CHECK(agent->software == "sallyport-agent/0.1.0");
  const auto row = co_await world.stores.certificates.find(ours.org, store::Serial(enrolled->certificate.serial()));
  REQUIRE(row);
  CHECK(row->generation == 1);
  CHECK(row->not_after == enrolled->certificate.not_after());
  const auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"agent.enrol", "done", enrolled->agent.value, "192.0.2.7"}));
}

ASYNC_TEST_CASE("each organisation's agents are issued by a CA of its own, which is made once", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  const auto first = co_await world.enrol(ours, {});
  const auto second = co_await world.enrol(ours, {});
  const auto foreign = co_await world.enrol(theirs, {});
  CHECK(first.chain == second.chain);
  CHECK_FALSE(first.chain == foreign.chain);
  CHECK(foreign.chain.front().organisation_name() == theirs.org.value);
}

ASYNC_TEST_CASE("every refusal has its code and its audit record", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const Applicant applicant;

  struct Row {
    std::string code;
    std::function<void(identity::EnrolmentAsk&)> spoil;
  };
  const Row rows[] = {
      {"unknown", [](auto& ask) { ask.token_id = "enr_1"; }},
      {"unknown", [](auto& ask) { ask.token_id = ""; }},
      {"unknown", [&](auto& ask) { ask.token_id = crypto::new_id<EnrolmentId>(world.clock).value; }},
      {"proof", [](auto& ask) { ask.proof[0] ^= std::byte{1}; }},
      {"proof", [](auto& ask) { ask.proof.clear(); }},
      {"proof", [](auto& ask) { ask.csr_der.push_back(std::byte{0}); }},
      {"invalid", [](auto& ask) { ask.hostname = "erp1\nadmin"; }},
      {"invalid",
       [](auto& ask) {
         ask.hostname =
             "erp1\xC2\x9B"
             "31m";
       }},
      {"invalid", [](auto& ask) { ask.hostname = std::string(256, 'a'); }},
      {"invalid", [](auto& ask) { ask.software = "\xff"; }},
  };
  const auto parts = co_await world.token(ours);
  for (const auto& row : rows) {
    INFO(row.code);
    auto ask = world.ask(parts, applicant);
    row.spoil(ask);
    const auto code = co_await code_of(world, std::move(ask), applicant.exporter);
    CHECK(code == row.code);
    const auto events = co_await world.audited(row.code == "unknown" ? store::system_ledger() : ours.org);
    CHECK(mentions(events, {"agent.enrol", "refused", "\"" + row.code + "\"", "192.0.2.7"}));
  }
  const auto good = co_await code_of(world, world.ask(parts, applicant), applicant.exporter);
  CHECK(good == "enrolled");
}

ASYNC_TEST_CASE("a signing request of another kind of key is refused although the proof fits", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const Applicant applicant;
  auto ask = world.ask(parts, applicant);
  ask.csr_der = Bytes(100, std::byte{0x30});
  const auto proof = crypto::enrolment_proof(parts.secret, applicant.exporter, ask.csr_der);
  ask.proof.assign(proof.begin(), proof.end());
  const auto code = co_await code_of(world, std::move(ask), applicant.exporter);
  CHECK(code == "csr");
}

ASYNC_TEST_CASE("a proof of another session or with a short exporter is refused", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const Applicant applicant;
  const auto elsewhere = co_await code_of(world, world.ask(parts, applicant), crypto::random_bytes(32));
  CHECK(elsewhere == "proof");
  Applicant shorter;
  shorter.exporter.clear();
  const auto without = co_await code_of(world, world.ask(parts, shorter), {});
  CHECK(without == "proof");
}

ASYNC_TEST_CASE("an enrolment token works until it expires, is used up or is revoked", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const Applicant applicant;

  const auto once = co_await world.token(ours);
  const auto first = co_await code_of(world, world.ask(once, applicant), applicant.exporter);
  CHECK(first == "enrolled");
  const auto second = co_await code_of(world, world.ask(once, applicant), applicant.exporter);
  CHECK(second == "used");
  auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"agent.enrol", "refused", "\"used\""}));

  const auto revoked = co_await world.token(ours);
  must(co_await world.stores.enrolment_tokens.revoke(ours.org, revoked.token, world.clock.wall()));
  const auto after = co_await code_of(world, world.ask(revoked, applicant), applicant.exporter);
  CHECK(after == "revoked");

  const auto late = co_await world.token(ours);
  world.clock.advance(1h - 1ms);
  const auto last_moment = co_await code_of(world, world.ask(late, applicant), applicant.exporter);
  CHECK(last_moment == "enrolled");
  const auto too_late = co_await world.token(ours);
  world.clock.advance(1h);
  const auto expired = co_await code_of(world, world.ask(too_late, applicant), applicant.exporter);
  CHECK(expired == "expired");
}

namespace {

// One round for each number of uses.
asio::awaitable<void> race_for_tokens(std::vector<std::uint32_t> rounds) {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  for (const std::uint32_t max_uses : rounds) {
    const auto parts = co_await world.token(ours, max_uses);
    std::map<std::string, int> outcomes;
    std::set<std::string> serials;
    TaskGroup asks(co_await asio::this_coro::executor, [](auto&, auto) { FAIL("an ask threw"); });
    for (int i = 0; i < 100; ++i) asks.spawn("ask", count_outcome(world, parts, outcomes, serials));
    co_await asks.join();
    CHECK(outcomes["enrolled"] == static_cast<int>(max_uses));
    CHECK(outcomes["used"] == 100 - static_cast<int>(max_uses));
    CHECK(serials.size() == max_uses);
    const auto token = must(co_await world.stores.enrolment_tokens.find(ours.org, parts.token));
    CHECK(token.uses == max_uses);
  }
  const auto agents = must(co_await world.stores.agents.list(ours.org, {}, {.limit = 200}));
  CHECK(agents.items.size() == std::min<std::size_t>(200, 6 + rounds.size()));
}

}  // namespace

// SALLYPORT_ENROLMENT_ROUNDS=1000 is the long form.
TEST_CASE("of a hundred concurrent asks with one token exactly max_uses get a certificate", "[identity]") {
  const char* wish = std::getenv("SALLYPORT_ENROLMENT_ROUNDS");
  std::vector<std::uint32_t> rounds{7};
  rounds.resize(1 + static_cast<std::size_t>(wish == nullptr ? 1 : std::atoi(wish)), 1);
  test::run(race_for_tokens(rounds), 60s + 5s * rounds.size());
}

ASYNC_TEST_CASE("when a part of the relay fails, nobody is enrolled and the token stays usable", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const Applicant applicant;
  world.envelope.broken = true;
  const auto failed = co_await code_of(world, world.ask(parts, applicant), applicant.exporter);
  CHECK(failed == "unavailable");
  const auto none = must(co_await world.stores.agents.list(ours.org, {}, {}));
  CHECK(none.items.empty());
  world.envelope.broken = false;
  const auto later = co_await code_of(world, world.ask(parts, applicant), applicant.exporter);
  CHECK(later == "enrolled");
}

ASYNC_TEST_CASE("an enrolment that cannot be audited does not happen", "[identity][audit]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const Applicant applicant;
  {
    BrokenLedger broken(world.database());
    const auto code = co_await code_of(world, world.ask(parts, applicant), applicant.exporter);
    CHECK(code == "unavailable");
  }
  const auto agents = must(co_await world.stores.agents.list(ours.org, {}, {}));
  CHECK(agents.items.empty());
  const auto token = must(co_await world.stores.enrolment_tokens.find_for_enrolment(parts.token));
  CHECK(token.uses == 0);
  const auto later = co_await code_of(world, world.ask(parts, applicant), applicant.exporter);
  CHECK(later == "enrolled");
}

ASYNC_TEST_CASE("an enrolment leaves one audit row", "[identity][audit]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto before = co_await world.audited(ours.org);
  co_await world.enrol(ours, {});
  const auto after = co_await world.audited(ours.org);
  CHECK(after.size() == before.size() + 1);
}

ASYNC_TEST_CASE("without the root key only organisations that have a CA can enrol", "[identity]") {
  IdentityWorld world(false);
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const Applicant applicant;
  const auto code = co_await code_of(world, world.ask(parts, applicant), applicant.exporter);
  CHECK(code == "unavailable");
}

ASYNC_TEST_CASE("enrolment tokens outside the limits are not made", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const identity::TokenOrder good{.group = ours.group, .created_by = ours.owner};
  auto code = [&](identity::TokenOrder order) -> asio::awaitable<Errc> {
    auto made = co_await world.enrolments.make_token(ours.org, std::move(order));
    co_return made ? Errc::cancelled : made.error().code;
  };
  auto order = good;
  order.max_uses = 0;
  auto none = co_await code(order);
  CHECK(none == Errc::invalid);
  order.max_uses = identity::kMostTokenUses + 1;
  auto many = co_await code(order);
  CHECK(many == Errc::invalid);
  order = good;
  order.lifetime = 59s;
  auto brief = co_await code(order);
  CHECK(brief == Errc::invalid);
  order.lifetime = identity::kLongestTokenLifetime + 1s;
  auto endless = co_await code(order);
  CHECK(endless == Errc::invalid);
  order = good;
  order.group = crypto::new_id<GroupId>(world.clock);
  auto nowhere = co_await code(order);
  CHECK(nowhere == Errc::not_found);
}

ASYNC_TEST_CASE("a token of one organisation cannot name another's group", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  auto made = co_await world.enrolments.make_token(ours.org, {.group = theirs.group, .created_by = ours.owner});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Errc::not_found);
}

ASYNC_TEST_CASE("the secret of a token is nowhere in the store", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const auto row = must(co_await world.stores.enrolment_tokens.find(ours.org, parts.token));
  CHECK(as_text(row.sealed_secret).find(parts.secret.reveal()) == std::string_view::npos);
}

ASYNC_TEST_CASE("garbage from one source blocks that source and does not fill the ledger", "[identity][limits]") {
  IdentityWorld world;
  world.clock.freeze();
  const auto ours = co_await world.settle("ours");
  const auto parts = co_await world.token(ours);
  const Applicant applicant;
  const auto try_garbage = [&](std::string source, int port) {
    auto ask = world.ask(parts, applicant);
    ask.token_id = crypto::new_id<EnrolmentId>(world.clock).value;
    ask.from_address = source + ":" + std::to_string(port);
    ask.source = std::move(source);
    return code_of(world, std::move(ask), applicant.exporter);
  };
  std::map<std::string, int> codes;
  for (int i = 0; i < 100; ++i) ++codes[co_await try_garbage("203.0.113.9", 40'000 + i)];
  CHECK(codes == std::map<std::string, int>{{"unknown", 11}, {"unavailable", 89}});
  auto told = co_await world.audited(store::system_ledger());
  CHECK(told.size() == 1);

  const auto even_good = world.ask(parts, applicant);
  auto from_there = even_good;
  from_there.source = "203.0.113.9";
  const auto blocked = co_await world.enrolments.redeem(from_there, applicant.exporter);
  REQUIRE_FALSE(blocked);
  CHECK(blocked.error().code == "unavailable");
  CHECK(blocked.error().message.find("try again in 1 s") != std::string::npos);
  const auto elsewhere = co_await code_of(world, even_good, applicant.exporter);
  CHECK(elsewhere == "enrolled");

  world.clock.advance(std::chrono::minutes(6));
  const auto later = co_await try_garbage("203.0.113.9", 7);
  CHECK(later == "unknown");
  told = co_await world.audited(store::system_ledger());
  CHECK(told.size() == 2);
  const auto figures = world.metrics.prometheus();
  CHECK(figures.find("sallyport_enrolment_failures_total 12") != std::string::npos);
  CHECK(figures.find("sallyport_enrolment_blocked_total 90") != std::string::npos);
}
