#include "tests/contract/store/entries.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::store;

namespace {

const RetentionLane kPayload{"payload", 2}, kLogs{"logs", 4};
const Hour kHour = hour_of(at_ms(0));
constexpr std::size_t kRows = 1'000;

// With keys of both classes under that hour, a trigger, and a step with input, output and words.
awaitable<Job> kept_job(World& world, Tenant tenant, Hour hour) {
  auto fresh = world.new_job(tenant, "event " + std::to_string(world.made));
  fresh.job.state = domain::JobState::running;
  fresh.job.agent = tenant.agent;
  fresh.sealed_trigger = bytes_of("trigger");
  fresh.keys = {{kPayload, hour, bytes_of("payload key")}, {kLogs, hour, bytes_of("logs key")}};
  const auto added = must(co_await world.stores.jobs.add(tenant.org, std::move(fresh)));
  must(co_await world.stores.history.append(tenant.org, added.job.id, 0,
                                            {step_started(1, "a"), step_finished(2, "a", domain::StepStatus::failed)}));
  co_return added.job;
}

awaitable<void> finish(World& world, Job job, WallTime at) {
  must(co_await world.stores.jobs.finish(job.org, job.id, 0,
                                         {domain::JobState::failed, at, {"timeout", bytes_of("words"), ""}}));
}

awaitable<std::size_t> count_of(World& world, Job job) {
  co_return must(co_await world.stores.job_keys.find(job.org, job.id)).size();
}

}  // namespace

STORE_TEST_CASE("job keys: they come with the job, and are of its organisation alone", "[store][keys]") {
  const auto job = co_await kept_job(world, world.ours, kHour);
  const auto keys = must(co_await world.stores.job_keys.find(world.ours.org, job.id));
  REQUIRE(keys.size() == 2);
  const auto payload = std::ranges::find(keys, kPayload, &JobKey::lane);
  REQUIRE(payload != keys.end());
  CHECK(payload->hour == kHour);
  CHECK(payload->wrapped == bytes_of("payload key"));
  const auto theirs = must(co_await world.stores.job_keys.find(world.theirs.org, job.id));
  CHECK(theirs.empty());
}

STORE_TEST_CASE("job keys: late are those of jobs that run or ended after the hour", "[store][keys]") {
  const auto ended = co_await kept_job(world, world.ours, kHour), later = co_await kept_job(world, world.ours, kHour),
             running = co_await kept_job(world, world.ours, kHour),
             foreign = co_await kept_job(world, world.theirs, kHour);
  const auto end_of_hour = store::start_of(kHour + 1);
  co_await finish(world, ended, end_of_hour - std::chrono::milliseconds(1));
  co_await finish(world, later, end_of_hour);
  const auto late = must(co_await world.stores.job_keys.late(world.ours.org, kPayload, kHour, {}, 10));
  REQUIRE(late.size() == 2);
  const auto behind = must(co_await world.stores.job_keys.late(world.ours.org, kPayload, kHour, late[0].at, 10));
  REQUIRE(behind.size() == 1);
  CHECK(behind[0].at.job == late[1].at.job);
  for (const auto& key : late) {
    CHECK((key.at.job == later.id || key.at.job == running.id));
    CHECK(key.finished_at.has_value() == (key.at.job == later.id));
  }
  must(co_await world.stores.job_keys.move(
      world.ours.org, kPayload,
      {{{kHour, later.id}, kHour + 1, bytes_of("moved")}, {{kHour - 1, running.id}, kHour + 9, bytes_of("stale")}}));
  const auto left = must(co_await world.stores.job_keys.late(world.ours.org, kPayload, kHour, {}, 10));
  REQUIRE(left.size() == 1);
  CHECK(left[0].at.job == running.id);
  CHECK(left[0].wrapped == bytes_of("payload key"));
  const auto theirs = must(co_await world.stores.job_keys.late(world.theirs.org, kPayload, kHour, {}, 10));
  REQUIRE(theirs.size() == 1);
  CHECK(theirs[0].at.job == foreign.id);
}

STORE_TEST_CASE("job keys: what is purged takes with it what it sealed, and no more", "[store][keys]") {
  const auto job = co_await kept_job(world, world.ours, kHour), next = co_await kept_job(world, world.ours, kHour + 1),
             foreign = co_await kept_job(world, world.theirs, kHour);
  for (const auto& one : {job, next, foreign}) co_await finish(world, one, at_ms(5'000));
  auto gone = must(co_await world.stores.job_keys.purge(world.ours.org, kPayload, kHour, kRows));
  CHECK(gone.jobs == 1);
  CHECK_FALSE(gone.more);
  const auto trigger = co_await world.stores.jobs.sealed_trigger(world.ours.org, job.id);
  CHECK(refusal(trigger) == Errc::not_found);
  auto payloads = must(co_await world.stores.history.payloads(world.ours.org, job.id, {{"a", 1}}));
  CHECK_FALSE(payloads[0].sealed_input);
  CHECK_FALSE(payloads[0].sealed_output);
  auto steps = must(co_await world.stores.history.steps(world.ours.org, job.id, {}, {})).items;
  CHECK(steps[0].sealed_message);
  auto events = must(co_await world.stores.history.events(world.ours.org, job.id, {})).items;
  CHECK_FALSE(events.empty());

  gone = must(co_await world.stores.job_keys.purge(world.ours.org, kLogs, kHour, kRows));
  CHECK(gone.jobs == 1);
  steps = must(co_await world.stores.history.steps(world.ours.org, job.id, {}, {})).items;
  CHECK_FALSE(steps[0].sealed_message);
  CHECK(steps[0].error_class == "connection");
  events = must(co_await world.stores.history.events(world.ours.org, job.id, {})).items;
  CHECK(events.empty());
  const auto stored = must(co_await world.stores.jobs.find(world.ours.org, job.id));
  CHECK_FALSE(stored.error.sealed_message);
  for (const auto& other : {next, foreign}) {
    payloads = must(co_await world.stores.history.payloads(other.org, other.id, {{"a", 1}}));
    CHECK(payloads[0].sealed_output);
    const auto keys = co_await count_of(world, other);
    CHECK(keys == 2);
  }
}

STORE_TEST_CASE("job keys: a job of many rows goes in pieces, and its key at the end", "[store][keys][bounds]") {
  const auto job = co_await kept_job(world, world.ours, kHour);
  co_await finish(world, job, at_ms(5'000));
  const auto events = must(co_await world.stores.history.events(world.ours.org, job.id, {})).items.size();
  REQUIRE(events > 1);
  auto part = must(co_await world.stores.job_keys.purge(world.ours.org, kLogs, kHour, 1));
  CHECK(part.more);
  CHECK(part.jobs == 0);
  auto keys = co_await count_of(world, job);
  CHECK(keys == 2);
  std::size_t parts = 1;
  for (; part.more && parts < 100; ++parts)
    part = must(co_await world.stores.job_keys.purge(world.ours.org, kLogs, kHour, 2));
  CHECK(parts > 1);
  keys = co_await count_of(world, job);
  CHECK(keys == 1);
  must(co_await world.stores.job_keys.purge(world.ours.org, kPayload, kHour, kRows));
  parts = 0;
  do {
    part = must(co_await world.stores.job_keys.remove_jobs(at_ms(5'001), 2));
    ++parts;
  } while (part.more && parts < 100);
  CHECK(part.jobs + parts > 1);
  const auto gone = co_await world.stores.jobs.find(world.ours.org, job.id);
  CHECK(refusal(gone) == Errc::not_found);
}

STORE_TEST_CASE("job keys: jobs without keys go when they are old, and their events are new again", "[store][keys]") {
  const auto gone = co_await kept_job(world, world.ours, kHour), kept = co_await kept_job(world, world.ours, kHour + 1),
             foreign = co_await kept_job(world, world.theirs, kHour);
  for (const auto& one : {gone, kept, foreign}) co_await finish(world, one, at_ms(5'000));
  for (const auto& lane : {kPayload, kLogs})
    must(co_await world.stores.job_keys.purge(world.ours.org, lane, kHour, kRows));
  must(co_await world.stores.job_keys.purge(world.ours.org, kPayload, kHour + 1, kRows));  // its logs have one still
  auto removed = must(co_await world.stores.job_keys.remove_jobs(at_ms(5'000), kRows));
  CHECK(removed.jobs == 0);
  removed = must(co_await world.stores.job_keys.remove_jobs(at_ms(5'001), kRows));
  CHECK(removed.jobs == 1);
  must(co_await world.stores.jobs.find(foreign.org, foreign.id));
  const auto found = co_await world.stores.jobs.find(world.ours.org, gone.id);
  CHECK(refusal(found) == Errc::not_found);
  must(co_await world.stores.jobs.find(world.ours.org, kept.id));
  auto again = world.new_job(world.ours, gone.event_key);
  const auto added = must(co_await world.stores.jobs.add(world.ours.org, std::move(again)));
  CHECK(added.outcome == AddOutcome::added);
}
