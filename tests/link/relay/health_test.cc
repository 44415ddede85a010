// What agents tell of their connections' health, from the wire to the store.
#include "proto/sallyport/v1/jobs.pb.h"
#include "relay/gateway/health_notes.h"
#include "relay/jobs/sealing.h"
#include "shared/async/timeout.h"
#include "tests/link/relay/gateway_rig.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

struct Use {
  std::string name, health, error_class;
  std::int64_t at_ms = 1'000;
};

v1::ToRelay uses(const std::vector<Use>& list) {
  v1::ToRelay message;
  auto& body = *message.mutable_health();
  for (const auto& one : list) {
    auto& use = *body.add_connections();
    use.set_name(one.name);
    use.set_health(one.health);
    use.set_error_class(one.error_class);
    use.set_at_ms(one.at_ms);
  }
  return message;
}

awaitable<std::vector<store::Connection>> stored(GatewayRig& rig, OrgId org) {
  co_return must(co_await rig.world.stores.connections.list(std::move(org), {}, {})).items;
}

awaitable<bool> becomes(GatewayRig& rig, OrgId org, store::ConnectionHealth health) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto now = co_await stored(rig, org);
    if (now.size() == 1 && now[0].health == health) co_return true;
    co_await sleep_for(5ms);
  }
  co_return false;
}

}  // namespace

ASYNC_TEST_CASE("the health an agent tells is that of its own connections", "[link][health][tenancy]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto theirs = co_await rig.world.settle("theirs");
  const auto their_identity = must(co_await rig.enrol(co_await rig.string_for(theirs)));
  const auto our_identity = co_await rig.enrolled();
  RealAgent ours(rig, our_identity, "none", 1);
  RealAgent other(rig, their_identity, "none", 2);
  ours.start();
  other.start();
  const bool ready = co_await ours.until_ready() && co_await other.until_ready();
  REQUIRE(ready);
  auto before = co_await stored(rig, rig.tenant.org);
  REQUIRE(before.size() == 1);
  CHECK(before[0].health == store::ConnectionHealth::unknown);
  CHECK_FALSE(before[0].checked_at);

  ours.send(uses({{"nobody", "failing", "timeout"}, {"erp-db", "failing", "permission", 9'000'000'000'000'000}}));
  const bool failing = co_await becomes(rig, rig.tenant.org, store::ConnectionHealth::failing);
  CHECK(failing);
  auto now = co_await stored(rig, rig.tenant.org);
  CHECK(now[0].checked_at <= rig.world.clock.wall());  // whatever the agent's clock says
  auto identity = jobs::connection_identity(rig.tenant.org, our_identity.id.agent, "erp-db");
  const auto why = must(co_await rig.world.envelope.open(std::move(identity), now[0].sealed_detail.value()));
  CHECK(why.reveal() == "permission");
  auto untouched = co_await stored(rig, theirs.org);
  REQUIRE(untouched.size() == 1);
  CHECK(untouched[0].health == store::ConnectionHealth::unknown);

  ours.send(uses({{"erp-db", "healthy", ""}}));
  const bool healthy = co_await becomes(rig, rig.tenant.org, store::ConnectionHealth::healthy);
  CHECK(healthy);
  now = co_await stored(rig, rig.tenant.org);
  CHECK_FALSE(now[0].sealed_detail);
  CHECK(now[0].checked_at == from_unix_ms(1'000));
  co_await ours.finish();
  co_await other.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("words that are no connection's are dropped, and cost no link", "[link][health]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto agent = co_await rig.linked(identity);
  agent->send(uses({{"", "failing", "timeout"},
                    {std::string(201, 'a'), "failing", "timeout"},
                    {"erp db", "failing", "timeout"},
                    {"erp-db", "splendid", "timeout"},
                    {"erp-db", "failing", "no route to host 10.0.0.1"},
                    {"erp-db", "failing", std::string(65, 'a')}}));
  agent->send(uses({}));
  agent->send(uses({{"erp-db", "healthy", ""}}));
  const bool healthy = co_await becomes(rig, rig.tenant.org, store::ConnectionHealth::healthy);
  CHECK(healthy);
  CHECK(agent->links == 1);

  std::vector<Use> flood(1'001, Use{"erp-db", "failing", "timeout"});
  agent->send(uses(flood));
  const bool refused = co_await rig.until([&] { return rig.lines.has({"link.lost", "1,000"}); });
  CHECK(refused);
  co_await agent->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("what waits for the store is the newest word on each name, and bounded", "[link][health]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  gateway::HealthNotes notes({rig.world.stores.connections, rig.world.envelope, rig.world.clock, rig.log},
                             OrgId("org_1"), AgentId("agt_1"));
  for (int i = 0; i < 2'000; ++i) notes.take({{{"c" + std::to_string(i), "failing", "timeout", 1}}});
  CHECK(notes.waiting() == 1'000);
  notes.take({{{"c1", "healthy", "", 2}}});
  notes.take({{{"not one", "healthy", "", 2}, {"d", "unknown", "", 2}, {"c2", "failing", "Timeout", 2}}});
  CHECK(notes.waiting() == 1'000);
}

// The relay may be killed at any time: what it stored last is what it knows of an agent afterwards.
ASYNC_TEST_CASE("that a linked agent lives is stored while it lives, and not only when its link ends",
                "[link][agents]") {
  gateway::GatewayLimits limits;
  limits.session.sighting = 20ms;
  GatewayRig rig(co_await asio::this_coro::executor, limits);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto agent = co_await rig.linked(identity);
  rig.world.clock.advance(1h);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  const auto now = unix_ms(rig.world.clock.wall());
  std::int64_t seen = 0;
  while (seen != now && std::chrono::steady_clock::now() < deadline) {
    co_await sleep_for(5ms);
    const auto stored = must(co_await rig.world.stores.agents.find(rig.tenant.org, identity.id.agent));
    seen = unix_ms(stored.last_seen_at.value());
  }
  CHECK(seen == now);
  CHECK(agent->links == 1);
  co_await agent->finish();
  co_await rig.finish();
}
