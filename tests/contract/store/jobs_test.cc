#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;
using domain::ReleaseReason;
using store::AddOutcome;

static store::Claim claim_by(const Tenant& tenant, std::uint64_t expected_epoch) {
  return {.agent = tenant.agent, .expected_epoch = expected_epoch, .at = at_ms(100), .lease_until = at_ms(30'100)};
}

STORE_TEST_CASE("jobs: everything that was given comes back", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  auto fresh = world.new_job(world.ours, "sha256:abc");
  fresh.job.priority = -3;
  fresh.job.concurrency_key = "customer-7";
  fresh.job.concurrency_limit = 2;
  auto added = must(co_await jobs.add(world.ours.org, fresh));
  CHECK(added.outcome == AddOutcome::added);
  auto job = must(co_await jobs.find(world.ours.org, fresh.job.id));
  CHECK(job.state == JobState::queued);
  CHECK(job.recipe == world.ours.recipe);
  CHECK(job.group == world.ours.group);
  CHECK(job.priority == -3);
  CHECK(job.event_key == "sha256:abc");
  CHECK(job.concurrency_key == "customer-7");
  CHECK(job.concurrency_limit == 2);
  CHECK(job.run_number == 1);
  CHECK(job.lease_epoch == 0);
  CHECK(!job.agent);
  CHECK(!job.finished_at);
  CHECK(job.created_at == fresh.job.created_at);
  auto trigger = must(co_await jobs.sealed_trigger(world.ours.org, job.id));
  CHECK(trigger == fresh.sealed_trigger);
}

STORE_TEST_CASE("jobs: one without payload has no trigger data, and takes none", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const auto& org = world.ours.org;
  auto fresh = world.new_job(world.ours, "");
  fresh.job.payload = store::Payload::none;
  for (const auto& [trigger, kept] : {std::pair(Bytes{std::byte{1}}, std::vector<store::KeptStep>{}),
                                      std::pair(Bytes{}, std::vector<store::KeptStep>{{"a", 1, {}, "", {}}})}) {
    fresh.sealed_trigger = trigger;
    fresh.kept = kept;
    const auto refused = co_await jobs.add(org, fresh);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::internal);
  }
  fresh.kept.clear();
  must(co_await jobs.add(org, fresh));
  CHECK(must(co_await jobs.find(org, fresh.job.id)).payload == store::Payload::none);
  const auto trigger = co_await jobs.sealed_trigger(org, fresh.job.id);
  CHECK(trigger.error().code == Errc::not_found);
  const auto claimed = must(co_await jobs.claim(org, fresh.job.id, {world.ours.agent, 0, at_ms(5), at_ms(6)}));
  CHECK(claimed.job.payload == store::Payload::none);
  CHECK(claimed.sealed_trigger.empty());
}

STORE_TEST_CASE("jobs: those that wait without payload, of all organisations, oldest first", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  std::vector<JobId> waiting;
  for (const auto& tenant : {world.ours, world.theirs, world.ours}) {
    co_await world.queue_job(tenant);
    auto fresh = world.new_job(tenant, "");
    fresh.job.payload = store::Payload::none;
    fresh.sealed_trigger.clear();
    must(co_await jobs.add(tenant.org, fresh));
    waiting.push_back(fresh.job.id);
  }
  const auto ids_of = [](const std::vector<store::Job>& found) {
    std::vector<JobId> ids;
    for (const auto& job : found) ids.push_back(job.id);
    return ids;
  };
  CHECK(ids_of(must(co_await jobs.queued_without_payload(10))) == waiting);
  CHECK(must(co_await jobs.queued_without_payload(2)).size() == 2);
  must(co_await jobs.claim(world.ours.org, waiting[0], {world.ours.agent, 0, at_ms(5), at_ms(6)}));
  must(co_await jobs.finish(world.theirs.org, waiting[1], 0, {JobState::failed, at_ms(7), {}}));
  CHECK(ids_of(must(co_await jobs.queued_without_payload(10))) == std::vector{waiting[2]});
}

STORE_TEST_CASE("jobs: a re-run brings results along that nobody runs again", "[store][jobs]") {
  auto fresh = world.new_job(world.ours, "");
  fresh.kept = {{"rows", 2, domain::StepStatus::succeeded, "csv.read@1", Bytes{std::byte{7}}},
                {"never", 1, domain::StepStatus::skipped, "", Bytes{}}};
  must(co_await world.stores.jobs.add(world.ours.org, fresh));
  auto kept = must(co_await world.stores.history.completed(world.ours.org, fresh.job.id, 1'000));
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].path == "rows");
  CHECK(kept[0].attempt == 2);
  CHECK(kept[0].sealed_output == Bytes{std::byte{7}});
  CHECK(kept[1].status == domain::StepStatus::skipped);
  auto foreign = co_await world.stores.history.completed(world.theirs.org, fresh.job.id, 1'000);
  CHECK(foreign.error().code == Errc::not_found);
}

STORE_TEST_CASE("jobs: the same event twice is one job", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto first = must(co_await jobs.add(org, world.new_job(world.ours, "event-1")));
  auto second = must(co_await jobs.add(org, world.new_job(world.ours, "event-1")));
  CHECK(second.outcome == AddOutcome::duplicate);
  CHECK(second.job.id == first.job.id);
  must(co_await jobs.request_cancel(org, first.job.id, {at_ms(1)}));
  auto after_its_end = must(co_await jobs.add(org, world.new_job(world.ours, "event-1")));
  CHECK(after_its_end.outcome == AddOutcome::duplicate);

  auto rerun = world.new_job(world.ours, "event-1");
  rerun.job.rerun_of = first.job.id;
  auto again = must(co_await jobs.add(org, rerun));
  CHECK(again.outcome == AddOutcome::added);
  CHECK(again.job.rerun_of == first.job.id);
  auto same_id = must(co_await jobs.add(org, rerun));
  CHECK(same_id.outcome == AddOutcome::duplicate);

  for (int i = 0; i < 2; ++i) {
    auto keyless = must(co_await jobs.add(org, world.new_job(world.ours, "")));
    CHECK(keyless.outcome == AddOutcome::added);
  }
  auto theirs = must(co_await jobs.add(world.theirs.org, world.new_job(world.theirs, "event-1")));
  CHECK(theirs.outcome == AddOutcome::added);
}

static awaitable<void> add_counted(World& world, int& added) {
  auto outcome = must(co_await world.stores.jobs.add(world.ours.org, world.new_job(world.ours, "storm")));
  added += outcome.outcome == AddOutcome::added;
}

STORE_TEST_CASE("jobs: one event from 100 callers at once is one job", "[store][jobs][concurrency]") {
  int added = 0;
  TaskGroup callers(co_await boost::asio::this_coro::executor, rethrow);
  for (int i = 0; i < 100; ++i) callers.spawn("add", add_counted(world, added));
  co_await callers.join();
  CHECK(added == 1);
  auto listed = must(co_await world.stores.jobs.list(world.ours.org, {}, {}));
  CHECK(listed.items.size() == 1);
}

STORE_TEST_CASE("jobs: a job of a recipe, version or group that is not there", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  for (int wrong = 0; wrong < 3; ++wrong) {
    auto fresh = world.new_job(world.ours);
    if (wrong == 0) fresh.job.recipe = world.theirs.recipe;
    if (wrong == 1) fresh.job.version = 9;
    if (wrong == 2) fresh.job.group = world.theirs.group;
    INFO("case " << wrong);
    auto refused = co_await jobs.add(world.ours.org, fresh);
    CHECK(refusal(refused) == Errc::not_found);
    auto absent = co_await jobs.find(world.ours.org, fresh.job.id);
    CHECK(refusal(absent) == Errc::not_found);
  }
}

STORE_TEST_CASE("jobs: a claim hands the job out once, under a new epoch", "[store][jobs][fencing]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto job = co_await world.queue_job(world.ours);
  auto claimed = must(co_await jobs.claim(org, job.id, claim_by(world.ours, 0)));
  CHECK(claimed.job.state == JobState::dispatched);
  CHECK(claimed.job.lease_epoch == 1);
  CHECK(claimed.job.agent == world.ours.agent);
  CHECK(claimed.job.dispatched_at == at_ms(100));
  CHECK(claimed.job.lease_until == at_ms(30'100));
  CHECK(claimed.sealed_trigger == bytes_of("sealed " + job.id.value));
  for (std::uint64_t epoch : {0u, 1u, 2u}) {
    auto again = co_await jobs.claim(org, job.id, claim_by(world.ours, epoch));
    CHECK(refusal(again) == Errc::conflict);
  }
}

static awaitable<void> claim_counted(World& world, JobId job, int& won) {
  auto claimed = co_await world.stores.jobs.claim(world.ours.org, job, claim_by(world.ours, 0));
  won += claimed.has_value();
}

STORE_TEST_CASE("jobs: of 50 claims at once one wins", "[store][jobs][fencing][concurrency]") {
  auto job = co_await world.queue_job(world.ours);
  int won = 0;
  TaskGroup callers(co_await boost::asio::this_coro::executor, rethrow);
  for (int i = 0; i < 50; ++i) callers.spawn("claim", claim_counted(world, job.id, won));
  co_await callers.join();
  CHECK(won == 1);
}

STORE_TEST_CASE("jobs: an old epoch can do nothing any more", "[store][jobs][fencing]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto job = co_await world.running_job(world.ours);
  auto released = must(co_await jobs.release(org, job.id, 1, {at_ms(200), ReleaseReason::holder_lost}));
  CHECK(released.state == JobState::queued);
  CHECK(released.run_number == 2);
  CHECK(released.lease_epoch == 2);
  CHECK(!released.agent);
  auto stale_claim = co_await jobs.claim(org, job.id, claim_by(world.ours, 1));
  CHECK(refusal(stale_claim) == Errc::conflict);
  must(co_await jobs.claim(org, job.id, claim_by(world.ours, 2)));
  for (std::uint64_t old : {0u, 1u, 2u}) {
    INFO("epoch " << old);
    auto finished =
        co_await jobs.finish(org, job.id, old, {.state = JobState::succeeded, .at = at_ms(300), .error = {}});
    CHECK(refusal(finished) == Errc::conflict);
    auto again = co_await jobs.release(org, job.id, old, {at_ms(300), ReleaseReason::holder_lost});
    CHECK(refusal(again) == Errc::conflict);
    auto reported =
        co_await world.stores.history.append(org, job.id, old, {{.job_seq = 1, .what = store::JobStarted{}}});
    CHECK(refusal(reported) == Errc::conflict);
  }
  for (std::uint64_t again : {1u, 2u}) {
    auto started =
        must(co_await world.stores.history.append(org, job.id, 3, {{.job_seq = again, .what = store::JobStarted{}}}));
    CHECK(started.job.state == JobState::running);
  }
}

STORE_TEST_CASE("jobs: lost too often is dead, not started does not count", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto job = co_await world.queue_job(world.ours);
  const store::JobError if_dead{"lost", bytes_of("sealed"), ""};
  for (int busy = 0; busy < 10; ++busy) {
    must(co_await jobs.claim(org, job.id, claim_by(world.ours, job.lease_epoch)));
    job = must(co_await jobs.release(org, job.id, job.lease_epoch + 1, {at_ms(1), ReleaseReason::busy}));
  }
  CHECK(job.run_number == 1);
  for (std::uint32_t run = 1; run <= domain::kMaxRuns; ++run) {
    INFO("run " << run);
    CHECK(job.state == JobState::queued);
    CHECK(job.run_number == run);
    must(co_await jobs.claim(org, job.id, claim_by(world.ours, job.lease_epoch)));
    job =
        must(co_await jobs.release(org, job.id, job.lease_epoch + 1, {at_ms(9), ReleaseReason::holder_lost, if_dead}));
  }
  CHECK(job.state == JobState::dead);
  CHECK(job.finished_at == at_ms(9));
  CHECK(job.error.error_class == "lost");
  CHECK(job.error.sealed_message == bytes_of("sealed"));
  auto claimed = co_await jobs.claim(org, job.id, claim_by(world.ours, job.lease_epoch));
  CHECK(refusal(claimed) == Errc::conflict);
}

STORE_TEST_CASE("jobs: what a lost holder may have begun is known for ever", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto job = co_await world.queue_job(world.ours);
  for (const auto& [reason, held, runs] :
       {std::tuple{ReleaseReason::busy, false, 1u}, std::tuple{ReleaseReason::holder_lost, true, 2u},
        std::tuple{ReleaseReason::busy, true, 2u}, std::tuple{ReleaseReason::holder_lost, true, 3u}}) {
    const auto claimed = must(co_await jobs.claim(org, job.id, claim_by(world.ours, job.lease_epoch)));
    CHECK(claimed.job.held_before == job.held_before);
    job = must(co_await jobs.release(org, job.id, job.lease_epoch + 1, {at_ms(1), reason}));
    CHECK(job.held_before == held);
    CHECK(job.run_number == runs);
  }
}

STORE_TEST_CASE("jobs: finishing from the relay's side", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto job = co_await world.running_job(world.ours);
  auto half = co_await jobs.finish(org, job.id, 1, {.state = JobState::running, .at = at_ms(5), .error = {}});
  CHECK(refusal(half) == Errc::internal);
  store::JobOutcome timed_out{
      .state = JobState::timed_out, .at = at_ms(500), .error = {"timeout", bytes_of("took too long"), "upsert"}};
  auto ended = must(co_await jobs.finish(org, job.id, 1, timed_out));
  CHECK(ended.state == JobState::timed_out);
  CHECK(ended.finished_at == at_ms(500));
  CHECK(ended.error.error_class == "timeout");
  CHECK(ended.error.sealed_message == bytes_of("took too long"));
  CHECK(ended.error.failed_step == "upsert");
  auto twice = co_await jobs.finish(org, job.id, 1, timed_out);
  CHECK(refusal(twice) == Errc::conflict);
}

STORE_TEST_CASE("jobs: cancelling", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto waiting = co_await world.queue_job(world.ours);
  auto cancelled = must(co_await jobs.request_cancel(org, waiting.id, {at_ms(7)}));
  CHECK(cancelled.state == JobState::cancelled);
  CHECK(cancelled.finished_at == at_ms(7));
  auto ended = co_await jobs.request_cancel(org, waiting.id, {at_ms(8)});
  CHECK(refusal(ended) == Errc::conflict);
  CHECK(ended.error().message == "the job has ended: cancelled");

  auto active = co_await world.running_job(world.ours);
  auto marked = must(co_await jobs.request_cancel(org, active.id, {at_ms(9)}));
  CHECK(marked.state == JobState::running);
  CHECK(marked.cancel_requested_at == at_ms(9));
  auto again = must(co_await jobs.request_cancel(org, active.id, {at_ms(10)}));
  CHECK(again.cancel_requested_at == at_ms(9));
  auto given_up = must(co_await jobs.release(org, active.id, 1, {at_ms(11), ReleaseReason::holder_lost}));
  CHECK(given_up.state == JobState::cancelled);
}

STORE_TEST_CASE("jobs: started by a local trigger, they come in running", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto local = world.new_job(world.ours, "file-1");
  local.job.state = JobState::running;
  local.job.agent = world.ours.agent;
  local.job.trigger_kind = "file.watch";
  local.job.started_at = at_ms(4);
  must(co_await jobs.add(org, local));
  auto held = must(co_await jobs.holding(org, world.ours.agent));
  REQUIRE(held.size() == 1);
  CHECK(held[0].lease_epoch == 0);
  CHECK(held[0].started_at == at_ms(4));
  auto appended = must(co_await world.stores.history.append(
      org, local.job.id, 0, {{.job_seq = 1, .at = at_ms(5), .what = store::JobFinished{JobState::succeeded, {}}}}));
  CHECK(appended.job.state == JobState::succeeded);
}

STORE_TEST_CASE("jobs: another organisation's job does not exist", "[store][jobs][tenancy]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto foreign = co_await world.running_job(world.theirs);
  auto found = co_await jobs.find(org, foreign.id);
  CHECK(refusal(found) == Errc::not_found);
  auto absent = co_await jobs.find(org, JobId("job_absent"));
  CHECK(found.error() == absent.error());
  auto trigger = co_await jobs.sealed_trigger(org, foreign.id);
  CHECK(refusal(trigger) == Errc::not_found);
  auto claimed = co_await jobs.claim(org, foreign.id, claim_by(world.ours, 1));
  CHECK(refusal(claimed) == Errc::not_found);
  auto released = co_await jobs.release(org, foreign.id, 1, {at_ms(1), ReleaseReason::holder_lost});
  CHECK(refusal(released) == Errc::not_found);
  auto finished = co_await jobs.finish(org, foreign.id, 1, {.state = JobState::failed, .at = at_ms(1), .error = {}});
  CHECK(refusal(finished) == Errc::not_found);
  auto cancelled = co_await jobs.request_cancel(org, foreign.id, {at_ms(1)});
  CHECK(refusal(cancelled) == Errc::not_found);
  auto listed = must(co_await jobs.list(org, {.agent = world.theirs.agent}, {}));
  CHECK(listed.items.empty());
  auto held = must(co_await jobs.holding(org, world.theirs.agent));
  CHECK(held.empty());
  auto untouched = must(co_await jobs.find(world.theirs.org, foreign.id));
  CHECK(untouched.state == JobState::running);
  CHECK(!untouched.cancel_requested_at);
}
