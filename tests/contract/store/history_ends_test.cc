#include "tests/contract/store/entries.h"

// How a history ends: by an agent's word, and without one.
using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;
using domain::StepStatus;

STORE_TEST_CASE("history: what arrives after the job's end is kept, the end stays", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await world.stores.jobs.finish(org, job.id, 1, {.state = JobState::timed_out, .at = at_ms(50), .error = {}}));
  auto late = must(co_await history.append(
      org, job.id, 1, {job_started(1), step_started(2, "a"), job_finished(3, JobState::succeeded)}));
  CHECK(late.stored == 3);
  CHECK(late.job.state == JobState::timed_out);
  CHECK(late.job.finished_at == at_ms(50));
}

namespace {

// Where the relay alone ends a job, after its agent was last heard of in the middle of the step "upsert".
struct RelayEnd {
  const char* name;
  awaitable<store::Job> (*end)(World& world, store::Job job);
  JobState state;
  const char* error_class;
};

const store::JobError kLost{"holder_lost", bytes_of("its agent was lost"), ""};

awaitable<store::Job> cancelled_then_lost(World& world, store::Job job) {
  must(co_await world.stores.jobs.request_cancel(job.org, job.id, {at_ms(300)}));
  co_return must(
      co_await world.stores.jobs.release(job.org, job.id, 1, {at_ms(400), domain::ReleaseReason::holder_lost, kLost}));
}

awaitable<store::Job> lost_then_cancelled(World& world, store::Job job) {
  must(co_await world.stores.jobs.release(job.org, job.id, 1, {at_ms(300), domain::ReleaseReason::holder_lost, kLost}));
  co_return must(co_await world.stores.jobs.request_cancel(job.org, job.id, {at_ms(400), kLost}));
}

awaitable<store::Job> given_up(World& world, store::Job job) {
  co_return must(co_await world.stores.jobs.finish(
      job.org, job.id, 1, {JobState::failed, at_ms(400), {"agent_revoked", bytes_of("it was revoked"), ""}}));
}

awaitable<store::Job> lost_too_often(World& world, store::Job job) {
  for (;;) {
    job = must(co_await world.stores.jobs.release(job.org, job.id, job.lease_epoch,
                                                  {at_ms(400), domain::ReleaseReason::holder_lost, kLost}));
    if (job.state == JobState::dead) co_return job;
    const store::Claim claim{world.ours.agent, job.lease_epoch, at_ms(350), at_ms(360)};
    job = must(co_await world.stores.jobs.claim(job.org, job.id, claim)).job;
  }
}

const RelayEnd kRelayEnds[] = {{"cancelled, then lost", cancelled_then_lost, JobState::in_doubt, "holder_lost"},
                               {"lost, then cancelled", lost_then_cancelled, JobState::in_doubt, "holder_lost"},
                               {"given up", given_up, JobState::in_doubt, "agent_revoked"},
                               {"lost too often", lost_too_often, JobState::dead, "holder_lost"}};

}  // namespace

STORE_TEST_CASE("history: an end that no agent reports leaves no step running, and claims nothing",
                "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  for (const auto& row : kRelayEnds) {
    INFO(row.name);
    auto job = co_await world.held_job(world.ours);
    must(co_await history.append(org, job.id, 1,
                                 {job_started(1), step_started(2, "rows"),
                                  step_finished(3, "rows", StepStatus::succeeded), step_started(4, "upsert")}));
    const auto ended = co_await row.end(world, job);
    CHECK(ended.state == row.state);
    CHECK(ended.finished_at == at_ms(400));
    CHECK(ended.error.error_class == row.error_class);
    CHECK(ended.error.failed_step == "upsert");
    CHECK(ended.error.sealed_message.has_value());
    const auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].status == StepStatus::succeeded);
    CHECK(steps[1].status == StepStatus::in_doubt);
    CHECK(steps[1].finished_at == at_ms(400));
    CHECK(steps[1].error_class == "holder_lost");
    const auto events = must(co_await history.events(org, job.id, {}));
    CHECK(events.items.back().kind == "job.finished");
    CHECK(events.items.back().status == domain::to_string(row.state));
    CHECK(events.items.back().seq == events.items.size());
  }
}

STORE_TEST_CASE("history: nothing of a dry run is in doubt", "[store][history]") {
  const OrgId org = world.ours.org;
  auto fresh = world.new_job(world.ours);
  fresh.job.mode = GENERATE(store::Mode::dry_run, store::Mode::real);  // positive control
  const bool dry = fresh.job.mode == store::Mode::dry_run;
  must(co_await world.stores.jobs.add(org, fresh));
  const auto job =
      must(co_await world.stores.jobs.claim(org, fresh.job.id, {world.ours.agent, 0, at_ms(1), at_ms(2)})).job;
  must(co_await world.stores.history.append(org, job.id, 1, {job_started(1), step_started(2, "upsert")}));
  const auto ended = co_await cancelled_then_lost(world, job);
  CHECK(ended.state == (dry ? JobState::cancelled : JobState::in_doubt));
  const auto steps = must(co_await world.stores.history.steps(org, job.id, {}, {})).items;
  CHECK(steps.at(0).status == (dry ? StepStatus::cancelled : StepStatus::in_doubt));
}

STORE_TEST_CASE("history: what a lost agent tells after such an end is still stored", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1, {job_started(1), step_started(2, "upsert")}));
  co_await cancelled_then_lost(world, job);
  const auto late = must(co_await history.append(
      org, job.id, 1, {step_finished(3, "upsert", StepStatus::succeeded), job_finished(4, JobState::cancelled)}));
  CHECK(late.stored == 2);
  CHECK(late.job.state == JobState::in_doubt);
  const auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  CHECK(steps.at(0).status == StepStatus::succeeded);
}

STORE_TEST_CASE("history: a job that never ran is cancelled without a doubt", "[store][history]") {
  auto& jobs = world.stores.jobs;
  const auto waiting = co_await world.queue_job(world.ours);
  const auto cancelled = must(co_await jobs.request_cancel(world.ours.org, waiting.id, {at_ms(7), kLost}));
  CHECK(cancelled.state == JobState::cancelled);
  CHECK(cancelled.error.error_class.empty());
  const auto held = co_await world.held_job(world.ours);
  must(co_await jobs.request_cancel(world.ours.org, held.id, {at_ms(8)}));
  const auto unsent =
      must(co_await jobs.release(world.ours.org, held.id, 1, {at_ms(9), domain::ReleaseReason::busy, kLost}));
  CHECK(unsent.state == JobState::cancelled);
  CHECK(unsent.error.error_class.empty());
  const auto events = must(co_await world.stores.history.events(world.ours.org, held.id, {}));
  REQUIRE(events.items.size() == 1);
  CHECK(events.items[0].kind == "job.finished");
  CHECK(events.items[0].status == "cancelled");
}
