#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

#include <map>

using namespace sallyport;
using namespace sallyport::test;
using store::EnrolmentToken;
using store::Serial;

static EnrolmentToken new_token(World& world, const Tenant& tenant, std::uint32_t max_uses) {
  return {.id = world.id<EnrolmentId>("enr_"),
          .org = tenant.org,
          .group = tenant.group,
          .sealed_secret = bytes_of("sealed"),
          .max_uses = max_uses,
          .created_by = tenant.owner,
          .created_at = at_ms(0),
          .expires_at = at_ms(1000)};
}

static store::NewAgent new_agent(World& world) {
  return {
      .id = world.id<AgentId>("agt_"), .name = "edge", .hostname = "edge.local", .software = "sallyport-agent/0.1.0"};
}

static store::NewCertificate certificate(std::string serial) { return {Serial(serial), at_ms(5), at_ms(5000)}; }

STORE_TEST_CASE("enrolment: a redeemed token leaves an agent with its certificate", "[store][enrolment]") {
  auto& tokens = world.stores.enrolment_tokens;
  const OrgId org = world.ours.org;
  const auto token = new_token(world, world.ours, 1);
  must(co_await tokens.add(org, token));
  auto for_agent = must(co_await tokens.find_for_enrolment(token.id));
  CHECK(for_agent.org == org);
  CHECK(for_agent.sealed_secret == bytes_of("sealed"));
  auto agent = must(co_await tokens.redeem(org, token.id, at_ms(10), new_agent(world), certificate("d1")));
  CHECK(agent.group == world.ours.group);
  CHECK(agent.enrolled_at == at_ms(10));
  auto stored = must(co_await world.stores.agents.find(org, agent.id));
  CHECK(stored.hostname == "edge.local");
  auto first = must(co_await world.stores.certificates.find(org, Serial("d1")));
  CHECK(first.agent == agent.id);
  CHECK(first.generation == 1);
  CHECK(first.not_after == at_ms(5000));
  auto used = must(co_await tokens.find(org, token.id));
  CHECK(used.uses == 1);
  CHECK(store::state_at(used, at_ms(10)) == store::EnrolmentState::used_up);
}

STORE_TEST_CASE("enrolment: what makes a token unusable", "[store][enrolment]") {
  auto& tokens = world.stores.enrolment_tokens;
  const OrgId org = world.ours.org;
  struct Row {
    const char* fragment;
    std::int64_t redeemed_at;
    bool revoke;
  };
  for (const Row& row : {Row{"expired", 1000, false}, Row{"expired", 999'999, false}, Row{"revoked", 1, true}}) {
    INFO(row.fragment << " at " << row.redeemed_at);
    const auto token = new_token(world, world.ours, 5);
    must(co_await tokens.add(org, token));
    if (row.revoke) must(co_await tokens.revoke(org, token.id, at_ms(1)));
    auto agent = new_agent(world);
    auto redeemed =
        co_await tokens.redeem(org, token.id, at_ms(row.redeemed_at), agent, certificate("e" + agent.id.value));
    CHECK(refusal(redeemed) == Errc::conflict);
    CHECK(redeemed.error().message.find(row.fragment) != std::string::npos);
    auto unused = must(co_await tokens.find(org, token.id));
    CHECK(unused.uses == 0);
    auto absent = co_await world.stores.agents.find(org, agent.id);
    CHECK(refusal(absent) == Errc::not_found);
  }
}

STORE_TEST_CASE("enrolment: a certificate that cannot be stored costs no use", "[store][enrolment]") {
  auto& tokens = world.stores.enrolment_tokens;
  const OrgId org = world.ours.org;
  const auto token = new_token(world, world.ours, 2);
  must(co_await tokens.add(org, token));
  must(co_await tokens.redeem(org, token.id, at_ms(10), new_agent(world), certificate("f1")));
  auto agent = new_agent(world);
  auto clash = co_await tokens.redeem(org, token.id, at_ms(10), agent, certificate("f1"));
  CHECK(refusal(clash) == Errc::conflict);
  auto half_done = co_await world.stores.agents.find(org, agent.id);
  CHECK(refusal(half_done) == Errc::not_found);
  auto after = must(co_await tokens.find(org, token.id));
  CHECK(after.uses == 1);
}

static awaitable<void> redeem_one(World& world, EnrolmentId token, int number, std::map<Errc, int>& refused, int& won) {
  auto redeemed = co_await world.stores.enrolment_tokens.redeem(world.ours.org, token, at_ms(10), new_agent(world),
                                                                certificate("c0ffee" + std::to_string(number)));
  redeemed ? ++won : ++refused[redeemed.error().code];
}

STORE_TEST_CASE("enrolment: 100 at once redeem exactly max_uses", "[store][enrolment][concurrency]") {
  for (int max_uses : {1, 3}) {
    INFO("max_uses " << max_uses);
    const auto token = new_token(world, world.ours, static_cast<std::uint32_t>(max_uses));
    must(co_await world.stores.enrolment_tokens.add(world.ours.org, token));
    std::map<Errc, int> refused;
    int won = 0;
    TaskGroup redeemers(co_await boost::asio::this_coro::executor, rethrow);
    for (int i = 0; i < 100; ++i) {
      redeemers.spawn("redeem", redeem_one(world, token.id, max_uses * 1000 + i, refused, won));
    }
    co_await redeemers.join();
    CHECK(won == max_uses);
    CHECK(refused == std::map<Errc, int>{{Errc::conflict, 100 - max_uses}});
    auto after = must(co_await world.stores.enrolment_tokens.find(world.ours.org, token.id));
    CHECK(after.uses == token.max_uses);
  }
  auto agents = must(co_await world.stores.agents.list(world.ours.org, {}, {}));
  CHECK(agents.items.size() == 1 + 1 + 3);
}

STORE_TEST_CASE("enrolment: another organisation's token does not exist", "[store][enrolment][tenancy]") {
  auto& tokens = world.stores.enrolment_tokens;
  const auto token = new_token(world, world.theirs, 1);
  must(co_await tokens.add(world.theirs.org, token));
  auto found = co_await tokens.find(world.ours.org, token.id);
  CHECK(refusal(found) == Errc::not_found);
  auto revoked = co_await tokens.revoke(world.ours.org, token.id, at_ms(1));
  CHECK(refusal(revoked) == Errc::not_found);
  auto redeemed = co_await tokens.redeem(world.ours.org, token.id, at_ms(1), new_agent(world), certificate("a"));
  CHECK(refusal(redeemed) == Errc::not_found);
  auto listed = must(co_await tokens.list(world.ours.org, {}));
  CHECK(listed.items.empty());
  auto theirs = must(co_await tokens.list(world.theirs.org, {}));
  CHECK(theirs.items.size() == 1);
  auto into_foreign_group = new_token(world, world.theirs, 1);
  auto refused = co_await tokens.add(world.ours.org, into_foreign_group);
  CHECK(refusal(refused) == Errc::not_found);
}

STORE_TEST_CASE("enrolment: a token for an agent gives it its next generation", "[store][enrolment]") {
  auto& tokens = world.stores.enrolment_tokens;
  const OrgId org = world.ours.org;
  const auto first = new_token(world, world.ours, 1);
  must(co_await tokens.add(org, first));
  const auto agent = must(co_await tokens.redeem(org, first.id, at_ms(10), new_agent(world), certificate("a1")));
  must(co_await world.stores.certificates.add(org, agent.id, certificate("a2")));
  const auto before = must(co_await world.stores.agents.list(org, {}, {}));

  auto again = new_token(world, world.ours, 1);
  again.agent = agent.id;
  must(co_await tokens.add(org, again));
  const auto found = must(co_await tokens.find(org, again.id));
  CHECK(found.agent == agent.id);
  store::NewAgent told{.id = agent.id, .name = "ignored", .hostname = "edge.new", .software = "sallyport-agent/0.2.0"};
  const auto redeemed = must(co_await tokens.redeem(org, again.id, at_ms(20), told, certificate("a3")));
  CHECK(redeemed.generation == 3);
  const auto stored = must(co_await world.stores.agents.find(org, agent.id));
  CHECK(stored.generation == 3);
  CHECK(stored.name == "edge");
  CHECK(stored.hostname == "edge.new");
  CHECK(stored.enrolled_at == at_ms(10));
  const auto row = must(co_await world.stores.certificates.find(org, Serial("a3")));
  CHECK(row.generation == 3);
  const auto old = co_await world.stores.agents.confirm_generation(org, agent.id, 2);
  CHECK(refusal(old) == Errc::conflict);
  const auto used = co_await tokens.redeem(org, again.id, at_ms(20), told, certificate("a4"));
  CHECK(refusal(used) == Errc::conflict);
  const auto after = must(co_await world.stores.agents.list(org, {}, {}));
  CHECK(after.items.size() == before.items.size());
}

STORE_TEST_CASE("enrolment: a token is for an agent that there is, in its organisation, and not revoked",
                "[store][enrolment][tenancy]") {
  auto& tokens = world.stores.enrolment_tokens;
  const auto made = [&](AgentId agent) {
    auto token = new_token(world, world.ours, 1);
    token.agent = std::move(agent);
    return token;
  };
  const auto theirs = new_token(world, world.theirs, 1);
  must(co_await tokens.add(world.theirs.org, theirs));
  const auto foreign =
      must(co_await tokens.redeem(world.theirs.org, theirs.id, at_ms(1), new_agent(world), certificate("b1")));
  for (const auto& absent : {foreign.id, world.id<AgentId>("agt_")}) {
    const auto refused = co_await tokens.add(world.ours.org, made(absent));
    CHECK(refusal(refused) == Errc::not_found);
  }
  const auto first = new_token(world, world.ours, 1);
  must(co_await tokens.add(world.ours.org, first));
  const auto agent =
      must(co_await tokens.redeem(world.ours.org, first.id, at_ms(1), new_agent(world), certificate("b2")));
  const auto before = made(agent.id);
  must(co_await tokens.add(world.ours.org, before));
  must(co_await world.stores.agents.revoke(world.ours.org, agent.id, at_ms(2)));
  const auto late = co_await tokens.add(world.ours.org, made(agent.id));
  CHECK(refusal(late) == Errc::conflict);
  store::NewAgent told{.id = agent.id, .name = "edge", .hostname = "", .software = ""};
  const auto redeemed = co_await tokens.redeem(world.ours.org, before.id, at_ms(3), told, certificate("b3"));
  CHECK(refusal(redeemed) == Errc::forbidden);
  const auto unused = must(co_await tokens.find(world.ours.org, before.id));
  CHECK(unused.uses == 0);
}
