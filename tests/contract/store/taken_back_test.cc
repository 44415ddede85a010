#include "tests/contract/store/world.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;
using domain::ReleaseReason;

// What the history of a job says of the agents that it was taken back from.

namespace {

awaitable<store::Job> claim(World& world, store::Job job, AgentId agent) {
  store::Claim claim{std::move(agent), job.lease_epoch, at_ms(1), at_ms(2)};
  co_return must(co_await world.stores.jobs.claim(job.org, job.id, std::move(claim))).job;
}

// By `agent` and back again, at `ms`.
awaitable<store::Job> lose(World& world, store::Job job, AgentId agent, ReleaseReason reason, std::int64_t ms = 100) {
  job = co_await claim(world, std::move(job), std::move(agent));
  co_return must(co_await world.stores.jobs.release(job.org, job.id, job.lease_epoch, {at_ms(ms), reason}));
}

awaitable<std::vector<store::HistoryEvent>> events_of(World& world, store::Job job,
                                                      store::Lines lines = store::Lines::all) {
  co_return must(co_await world.stores.history.events(job.org, job.id, {.lines = lines})).items;
}

awaitable<AgentId> second_agent(World& world, Tenant tenant) {
  const auto id = world.id<AgentId>("agt_");
  must(co_await world.stores.agents.add(tenant.org,
                                        {.id = id, .group = tenant.group, .name = "second", .enrolled_at = at_ms(1)}));
  co_return id;
}

}  // namespace

STORE_TEST_CASE("history: whatever the reason, it says from which agent the job was taken back, why and when",
                "[store][history][taken-back]") {
  for (const ReleaseReason reason : domain::kReleaseReasons) {
    INFO(domain::to_string(reason));
    auto job = co_await world.running_job(world.ours);
    job = must(co_await world.stores.jobs.release(job.org, job.id, job.lease_epoch, {at_ms(300), reason}));
    REQUIRE(job.state == JobState::queued);
    const auto events = co_await events_of(world, job);
    REQUIRE(events.size() == 2);
    CHECK_FALSE(events[0].taken_back);
    const auto& line = events[1];
    CHECK(line.seq == 2);
    CHECK(line.epoch == 1);
    CHECK(line.at == at_ms(300));
    CHECK(line.kind == "job.taken_back");
    CHECK(line.status == "queued");
    CHECK(line.path.empty());
    CHECK(line.error_class.empty());
    const auto taken = line.taken_back.value_or(store::TakenBack{});
    CHECK(taken.agent == world.ours.agent);
    CHECK(taken.reason == reason);
  }
}

STORE_TEST_CASE("history: the next holder's lines follow the one that says why there is a next",
                "[store][history][taken-back]") {
  const auto second = co_await second_agent(world, world.ours);
  auto job = co_await world.running_job(world.ours);
  job = must(co_await world.stores.jobs.release(job.org, job.id, 1, {at_ms(300), ReleaseReason::holder_lost}));
  job = co_await lose(world, job, second, ReleaseReason::agent_revoked, 400);
  job = co_await claim(world, job, world.ours.agent);
  must(co_await world.stores.history.append(job.org, job.id, job.lease_epoch,
                                            {{.job_seq = 1, .at = at_ms(500), .what = store::JobStarted{}}}));
  std::string told;
  for (const auto& event : co_await events_of(world, job)) told += fmt::format("{}#{} ", event.kind, event.seq);
  CHECK(told == "job.started#1 job.taken_back#2 job.taken_back#3 job.started#4 ");

  const auto only = co_await events_of(world, job, store::Lines::taken_back);
  REQUIRE(only.size() == 2);
  CHECK(only[0].taken_back.value_or(store::TakenBack{}).agent == world.ours.agent);
  CHECK(only[1].taken_back.value_or(store::TakenBack{}).agent == second);
  CHECK(only[1].seq == 3);
  const auto later = must(co_await world.stores.history.events(
      job.org, job.id, {.after_seq = 2, .limit = 1, .lines = store::Lines::taken_back}));
  REQUIRE(later.items.size() == 1);
  CHECK_FALSE(later.more);
}

STORE_TEST_CASE("history: what keeps a job waiting for hours does not fill its history",
                "[store][history][taken-back][limits]") {
  const auto second = co_await second_agent(world, world.ours);
  auto job = co_await world.queue_job(world.ours);
  for (int i = 0; i < 50; ++i) {
    for (const auto& agent : {world.ours.agent, second}) {
      job = co_await lose(world, job, agent, ReleaseReason::busy, 100 + i);
      job = co_await lose(world, job, agent, ReleaseReason::link_lost, 100 + i);
    }
  }
  auto events = co_await events_of(world, job);
  CHECK(events.size() == 4);  // each agent, each reason: the first time
  for (const auto& event : events) CHECK(event.at == at_ms(100));

  job = co_await claim(world, job, second);
  must(co_await world.stores.history.append(job.org, job.id, job.lease_epoch,
                                            {{.job_seq = 1, .at = at_ms(500), .what = store::JobStarted{}}}));
  job = must(co_await world.stores.jobs.release(job.org, job.id, job.lease_epoch, {at_ms(600), ReleaseReason::busy}));
  events = co_await events_of(world, job);
  REQUIRE(events.size() == 6);  // it had begun: told anew
  CHECK(events.back().at == at_ms(600));
}

STORE_TEST_CASE("history: every run that was lost is told, also by the same agent", "[store][history][taken-back]") {
  auto job = co_await world.queue_job(world.ours);
  while (job.state == JobState::queued)
    job = co_await lose(world, job, world.ours.agent, ReleaseReason::holder_lost, job.run_number);
  CHECK(job.state == JobState::dead);
  const auto events = co_await events_of(world, job);
  REQUIRE(events.size() == domain::kMaxRuns);
  for (std::size_t run = 1; run < domain::kMaxRuns; ++run) CHECK(events[run - 1].kind == "job.taken_back");
  CHECK(events.back().kind == "job.finished");  // nobody is next
  CHECK(events.back().status == "dead");
}

STORE_TEST_CASE("history: a release that is refused leaves no line, and foreign ones are not seen",
                "[store][history][taken-back][tenancy]") {
  auto& jobs = world.stores.jobs;
  auto theirs = co_await world.running_job(world.theirs);
  const auto stale = co_await jobs.release(theirs.org, theirs.id, 7, {at_ms(300), ReleaseReason::holder_lost});
  CHECK(refusal(stale) == Errc::conflict);
  const auto foreign = co_await jobs.release(world.ours.org, theirs.id, 1, {at_ms(300), ReleaseReason::holder_lost});
  CHECK(refusal(foreign) == Errc::not_found);
  auto events = co_await events_of(world, theirs);
  CHECK(events.size() == 1);

  theirs = must(co_await jobs.release(theirs.org, theirs.id, 1, {at_ms(300), ReleaseReason::holder_lost}));
  const auto seen =
      co_await world.stores.history.events(world.ours.org, theirs.id, {.lines = store::Lines::taken_back});
  CHECK(refusal(seen) == Errc::not_found);
  events = co_await events_of(world, theirs, store::Lines::taken_back);
  CHECK(events.size() == 1);
}
