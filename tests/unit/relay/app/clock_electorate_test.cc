#include "relay/app/clock_electorate.h"

#include "tests/unit/relay/jobs/world.h"

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

struct Rig {
  explicit Rig(JobsWorld& w)
      : world(w),
        clocks(w.clock),
        electorate({w.stores.organisations, w.agents, clocks, [this] { return believed; }, w.log}) {}
  awaitable<void> see(Tenant tenant, AgentId agent, std::chrono::milliseconds ago) {
    must(
        co_await world.stores.agents.seen(tenant.org, agent, {"host", "agent/1", believed.value_or(WallTime()) - ago}));
  }
  awaitable<std::size_t> counted() { co_return must(co_await electorate.count()); }

  JobsWorld& world;
  std::optional<WallTime> believed = world.clock.wall();
  gateway::AgentClocks clocks;
  ClockElectorate electorate;
};

constexpr std::chrono::hours kLife{30 * 24};

}  // namespace

JOBS_TEST_CASE("organisations count whose agents may link: active, and seen while a certificate lives",
               "[app][clock]") {
  Rig rig(world);
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  co_await world.settle("nobody was ever seen");
  auto counted = co_await rig.counted();
  CHECK(counted == 0);
  co_await rig.see(ours, ours.agent, kLife);
  co_await rig.see(theirs, theirs.agent, kLife + 1ms);
  counted = co_await rig.counted();
  CHECK(counted == 1);
  const auto second = co_await world.add_agent(theirs, theirs.group);
  const auto third = co_await world.add_agent(ours, ours.group);
  co_await rig.see(theirs, second, 0ms);
  co_await rig.see(ours, third, 1h);  // an organisation counts once
  counted = co_await rig.counted();
  CHECK(counted == 2);
  must(co_await world.stores.agents.revoke(theirs.org, second, world.clock.wall()));
  counted = co_await rig.counted();
  CHECK(counted == 1);
  rig.believed.reset();  // whoever was ever seen
  counted = co_await rig.counted();
  CHECK(counted == 2);
  co_await world.finish();
}

JOBS_TEST_CASE("nobody's clock counts before they are counted, and a store that is away changes nothing",
               "[app][clock][faults]") {
  Rig rig(world);
  const auto ours = co_await world.settle("ours");
  co_await rig.see(ours, ours.agent, 0ms);
  rig.clocks.hear(ours.org, ours.agent, unix_ms(world.clock.wall()));
  world.faults.refuses = [](std::string_view call) { return call == "agents.list"; };
  world.tasks.spawn("electorate", rig.electorate.run());
  bool holds = co_await world.until([&] { return world.lines.has("clock.not_counted"); });
  CHECK(holds);
  CHECK_FALSE(rig.clocks.now());
  world.faults.refuses = nullptr;
  holds = co_await world.until([&] { return rig.clocks.now().has_value(); });
  CHECK(holds);
  co_await world.finish();
}
