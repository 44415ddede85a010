#include "relay/app/quieten.h"

#include "tests/unit/relay/api/test_desk.h"
#include "tests/unit/relay/jobs/world.h"

using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;

JOBS_TEST_CASE("an organisation that is erased is quiet: jobs taken back, links told, nothing in memory",
               "[app][erasure]") {
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  const auto held = [&world](Tenant tenant) -> awaitable<JobId> {
    auto job = co_await world.queue(tenant);
    must(co_await world.stores.jobs.claim(tenant.org, job, {tenant.agent, 0, world.clock.wall(), world.clock.wall()}));
    co_return job;
  };
  const auto our_job = co_await held(ours);
  const auto their_job = co_await held(theirs);
  identity::Revocations revocations(world.stores.agents, world.stores.certificates, world.clock);
  std::vector<AgentId> told;
  const auto subscription = revocations.subscribe([&](const OrgId&, const AgentId& agent) { told.push_back(agent); });
  world.memory.hold({ours.org, our_job}, Secret::take(std::string("data"))).value().keep();
  world.memory.hold({theirs.org, their_job}, Secret::take(std::string("data"))).value().keep();
  TestDesk desk;
  const app::Quieted parts{world.stores.agents, world.stores.tunnels, revocations,
                           world.dispatcher,    world.memory,         desk};
  for (int again = 0; again < 2; ++again) {
    const auto done = co_await app::quieten(parts, ours.org);
    CHECK(done.has_value());
  }
  CHECK(told == std::vector<AgentId>{ours.agent, ours.agent});
  const auto taken = co_await world.job(ours, our_job);
  const auto left = co_await world.job(theirs, their_job);
  CHECK(taken.state == JobState::queued);
  CHECK(left.state == JobState::dispatched);
  CHECK(world.memory.held(ours.org).jobs == 0);
  CHECK(world.memory.held(theirs.org).jobs == 1);
}
