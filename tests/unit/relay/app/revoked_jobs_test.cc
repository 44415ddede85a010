#include "relay/app/revoked_jobs.h"

#include "tests/unit/relay/jobs/world.h"

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
using domain::JobState;

namespace {

struct Rig {
  explicit Rig(JobsWorld& w, asio::any_io_executor loop)
      : world(w),
        revocations(w.stores.agents, w.stores.certificates, w.clock),
        revoked(loop, {w.stores.organisations, w.stores.agents, w.dispatcher, w.assigner, w.log}, revocations) {}
  awaitable<JobId> held_by(Tenant tenant, AgentId agent) {
    auto job = co_await world.queue(tenant);
    must(co_await world.stores.jobs.claim(tenant.org, job, {agent, 0, world.clock.wall(), world.clock.wall()}));
    co_return job;
  }
  awaitable<bool> is_queued(Tenant tenant, JobId job) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      const auto stored = co_await world.job(tenant, job);
      if (stored.state == JobState::queued || std::chrono::steady_clock::now() > deadline)
        co_return stored.state == JobState::queued;
    }
  }
  JobsWorld& world;
  identity::Revocations revocations;
  RevokedJobs revoked;
};

}  // namespace

JOBS_TEST_CASE("what a revoked agent held is taken back, also when the relay died in between", "[app]") {
  const auto ours = co_await world.settle("ours");
  const auto second = co_await world.add_agent(ours, ours.group);
  Rig rig(world, co_await asio::this_coro::executor);
  const auto before = co_await rig.held_by(ours, ours.agent), later = co_await rig.held_by(ours, second);
  must(co_await world.stores.agents.revoke(ours.org, ours.agent, world.clock.wall()));  // and the relay died
  world.tasks.spawn("revoked jobs", rig.revoked.run());
  bool back = co_await rig.is_queued(ours, before);
  CHECK(back);
  auto stored = co_await world.job(ours, later);
  CHECK(stored.state == JobState::dispatched);
  must(co_await rig.revocations.revoke_agent(ours.org, second));
  back = co_await rig.is_queued(ours, later);
  CHECK(back);
  co_await world.finish();
}

JOBS_TEST_CASE("what the store did not take is tried again", "[app][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto second = co_await world.add_agent(ours, ours.group);
  Rig rig(world, co_await asio::this_coro::executor);
  const auto job = co_await rig.held_by(ours, ours.agent);
  world.faults.refuses = [](std::string_view call) { return call == "jobs.release"; };
  world.tasks.spawn("revoked jobs", rig.revoked.run());
  must(co_await rig.revocations.revoke_agent(ours.org, ours.agent));
  const bool failed = co_await world.until([&] { return world.lines.has("agent.jobs_not_taken_back"); });
  REQUIRE(failed);
  world.faults.refuses = nullptr;
  must(co_await rig.revocations.revoke_agent(ours.org, second));  // wakes it before its five seconds
  const bool back = co_await rig.is_queued(ours, job);
  CHECK(back);
  co_await world.finish();
}
