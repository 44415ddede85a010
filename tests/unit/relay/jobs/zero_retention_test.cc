#include "relay/jobs/zero_retention.h"

#include "shared/base/json.h"
#include "tests/support/canary.h"
#include "tests/unit/relay/jobs/world.h"

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

// Jobs of recipes that keep no payload: what is stored of them, and how they end when it is gone.
using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;
using store::Payload;

namespace {

const Actor kActor{"user:test"};
constexpr std::string_view kNone = "retention: {payload: none}\n";

awaitable<RecipeId> zero_recipe(JobsWorld& world, Tenant tenant, std::string more = "") {
  co_return co_await world.add_recipe(std::move(tenant), manual_recipe("zero", std::string(kNone) + more));
}

StartJob order_for(const RecipeId& recipe, std::string text, std::string event_key = "") {
  return {.recipe = recipe,
          .version = std::nullopt,
          .inputs = Value(ValueMap{{Value("key"), Value(std::move(text))}}),
          .event_key = std::move(event_key)};
}

Report report(JobId job, std::uint64_t epoch, std::uint64_t seq, decltype(Report::what) what) {
  return {.seq = seq,
          .job = std::move(job),
          .epoch = epoch,
          .job_seq = seq,
          .at_ms = 1'700'000'000'000,
          .what = std::move(what)};
}

// Whatever an agent may say, with `words` wherever they may go.
std::vector<Report> talkative_run(const JobId& job, std::uint64_t epoch, std::string words, RecipeId recipe = {}) {
  const auto json = to_json(Value(words));
  return {report(job, epoch, 1, ReportedJobStart{std::move(recipe), 1, json, words, "schedule"}),
          report(job, epoch, 2, ReportedStepStart{"a", 1, "log.write@1", json}),
          report(job, epoch, 3, ReportedLog{"a", "info", words}),
          report(job, epoch, 4, ReportedStepEnd{"a", 1, "succeeded", json, "", words, std::nullopt}),
          report(job, epoch, 5, ReportedStepStart{"b", 1, "log.write@1", json}),
          report(job, epoch, 6, ReportedStepEnd{"b", 1, "failed", json, "connection", words, std::nullopt}),
          report(job, epoch, 7, ReportedJobEnd{"failed", "connection", words, "b"})};
}

// A step that an agent began, and, with an end, what it gave.
std::vector<Report> one_step(const JobId& job, std::uint64_t epoch, std::string_view status) {
  std::vector<Report> reports{report(job, epoch, 1, ReportedJobStart{}),
                              report(job, epoch, 2, ReportedStepStart{"a", 1, "log.write@1", "{}"})};
  if (!status.empty())
    reports.push_back(report(job, epoch, 3, ReportedStepEnd{"a", 1, std::string(status), "{}", "", "", std::nullopt}));
  return reports;
}

// The same store and log, and a dispatcher that has begun anew with an empty memory.
struct NextRelay {
  explicit NextRelay(JobsWorld& on, asio::any_io_executor executor)
      : parcels({on.stores.recipes, on.history, on.envelope, memory}),
        dispatcher(std::move(executor), {on.jobs, parcels, memory, on.envelope, on.feed, on.clock, on.log}) {}
  VolatilePayloads memory;
  ParcelMaker parcels;
  Dispatcher dispatcher;
};

}  // namespace

JOBS_TEST_CASE("a start's data is in memory until the job ends, and goes to its agent", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours);
  const auto added = must(co_await world.service.start(ours.org, order_for(zero, "some text"), kActor));
  CHECK(added.job.payload == Payload::none);
  CHECK(world.memory.held(ours.org).jobs == 1);
  const auto stored = co_await world.stores.jobs.sealed_trigger(ours.org, added.job.id);
  CHECK(stored.error().code == Errc::not_found);

  auto link = world.link(ours);
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  CHECK(link->got<Dispatch>()[0].trigger_json == R"({"inputs":{"key":"some text"},"kind":"manual"})");
  CHECK(world.memory.held(ours.org).jobs == 1);
  must(co_await world.recorder.record(*link, talkative_run(added.job.id, 1, "w")));
  CHECK(world.memory.held(ours.org).jobs == 0);
}

// The first of each pair is the positive control: what a normal job leaves is found.
JOBS_TEST_CASE("nothing that such a job says reaches the store's files or the log", "[jobs][zero-retention][canary]") {
  const Canary plain("control-5e2a/\"text\"&=\xc3\xbc"), canary("canary-5e2a/\"text\"&=\xc3\xbc");
  const auto ours = co_await world.settle("ours");
  const std::string more = "concurrency: {limit: 5, key: \"${{ inputs.key }}\"}\n";
  const auto normal = co_await world.add_recipe(ours, manual_recipe("normal", more));
  const auto zero = co_await zero_recipe(world, ours, more);
  const auto watching = co_await world.add_recipe(ours, watching_recipe("watching") + std::string(kNone));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours);
  world.connect(*link, 9);
  world.run();
  for (const auto& [recipe, words] : {std::pair(normal, plain.text()), std::pair(zero, canary.text())}) {
    for (const bool refuses : {false, true}) {
      const auto job =
          must(co_await world.service.start(ours.org, order_for(recipe, words, words + (refuses ? "2" : "")), kActor))
              .job;
      co_await world.rounds();
      const auto epoch = (co_await world.job(ours, job.id)).lease_epoch;
      CHECK(epoch == 1);
      if (refuses)
        co_await world.dispatcher.answered(*link, {job.id, epoch, false, "policy", words});
      else
        must(co_await world.recorder.record(*link, talkative_run(job.id, epoch, words)));
      const auto ended = co_await world.job(ours, job.id);
      CHECK(ended.state == JobState::failed);
      CHECK(ended.error.error_class == (refuses ? "policy" : "connection"));
    }
  }
  const auto own = crypto::new_id<JobId>(world.clock);
  must(co_await world.recorder.record(*link, talkative_run(own, 0, canary.text(), watching)));
  const auto adopted = co_await world.job(ours, own);
  CHECK(adopted.payload == Payload::none);
  CHECK(adopted.error.failed_step == "b");
  const auto steps = must(co_await world.stores.history.steps(ours.org, own, {}, {})).items;
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].uses == "log.write@1");
  CHECK(steps[0].payload_bytes == 0);

  const auto files = world.folder.path("relay.db-wal");
  REQUIRE(std::filesystem::file_size(files) > 0);
  const auto below = std::filesystem::path(files).parent_path();
  const auto found = plain.forms_below(below);  // PlainEnvelope seals nothing: whatever was to be sealed shows
  CHECK(std::ranges::count(found, "relay.db-wal: raw") == 1);
  CHECK(std::ranges::count(found, "relay.db-wal: JSON") == 1);
  CHECK(canary.forms_below(below) == std::vector<std::string>{});
  CHECK(canary.forms_in(world.lines.text) == std::vector<std::string>{});
}

JOBS_TEST_CASE("keys of such jobs compare as they did, and say nothing", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours, "concurrency: {limit: 1, key: \"${{ inputs.key }}\"}\n");
  const auto first = must(co_await world.service.start(ours.org, order_for(zero, "k", "order-17"), kActor));
  CHECK_THAT(first.job.event_key, Catch::StartsWith("hmac:"));
  CHECK_THAT(first.job.concurrency_key, Catch::StartsWith("hmac:"));
  CHECK(first.job.event_key.size() == 5 + 64);
  const auto again = must(co_await world.service.start(ours.org, order_for(zero, "k", "order-17"), kActor));
  CHECK(again.outcome == store::AddOutcome::duplicate);
  CHECK(again.job.id == first.job.id);
  CHECK(world.memory.held().jobs == 1);               // of the first
  world.clock.advance(std::chrono::milliseconds(1));  // whoever was first comes first
  const auto same = must(co_await world.service.start(ours.org, order_for(zero, "k", "order-18"), kActor));
  const auto other = must(co_await world.service.start(ours.org, order_for(zero, "l", ""), kActor));
  CHECK(other.job.event_key.empty());
  auto link = world.link(ours);
  world.connect(*link, 9);
  world.run();
  co_await world.rounds();
  const auto states =
      std::array{(co_await world.job(ours, first.job.id)).state, (co_await world.job(ours, same.job.id)).state,
                 (co_await world.job(ours, other.job.id)).state};
  CHECK(states == std::array{JobState::dispatched, JobState::queued, JobState::dispatched});
}

JOBS_TEST_CASE("the digest of a masked event is kept as a fingerprint, for it may be easy to guess", "[jobs][mask]") {
  const bool masks = GENERATE(true, false);
  const auto ours = co_await world.settle("ours");
  const auto mask = masks ? ", mask: [file.name]" : "";
  const auto recipe = co_await world.add_recipe(
      ours, fmt::format("recipe: w\nrun_on: dc1\ntrigger: {{uses: file.watch@1, connection: c, with: {{path: in}}{}}}\n"
                        "steps:\n  - {{id: a, uses: log.write@1, with: {{text: a}}}}\n",
                        mask));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, recipe, 1, ours.agent}));
  auto link = world.link(ours);
  const JobId job("job_01J9Z3AAAAAAAAAAAAAAAAAAA7");
  must(co_await world.recorder.record(
      *link, {report(job, 0, 1, ReportedJobStart{recipe, 1, "{}", "sha256:abc", "file.watch"})}));
  const auto stored = must(co_await world.stores.jobs.find(ours.org, job));
  CHECK(stored.event_key.starts_with("hmac:") == masks);
  CHECK((stored.event_key == "sha256:abc") != masks);
}

JOBS_TEST_CASE("a job that is run again where nothing is kept any more tells no key", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto first =
      must(co_await world.service.start(ours.org, order_for(ours.recipe, "x", "order-17"), kActor)).job.id;
  must(co_await world.service.cancel(ours.org, first, kActor));
  domain::RetentionLimits none;
  none[domain::RetentionClass::payload] = domain::kKeptNever;
  must(co_await world.stores.retentions.set(ours.org, {.wanted = none, .only_if = {}}));
  world.retention.forget();
  const auto again = must(co_await world.service.rerun(ours.org, {first, ""}, kActor));
  CHECK(again.payload == Payload::none);
  CHECK_THAT(again.event_key, Catch::StartsWith("hmac:"));
}

JOBS_TEST_CASE("a start that fails leaves nothing in memory", "[jobs][zero-retention][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours);
  world.faults.refuses = [](std::string_view call) { return call == "jobs.add"; };
  const auto failed = co_await world.service.start(ours.org, order_for(zero, "x"), kActor);
  CHECK(failed.error().code == Errc::unavailable);
  CHECK(world.memory.held().jobs == 0);
}

JOBS_TEST_CASE("more than the relay holds in memory is not started, and room comes back",
               "[jobs][zero-retention][limits]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto zero = co_await zero_recipe(world, ours), theirs = co_await zero_recipe(world, other);
  const std::string large(250'000, 'x');
  std::vector<JobId> jobs;
  Result<store::AddedJob> refused;
  while (jobs.size() < 100) {
    refused = co_await world.service.start(ours.org, order_for(zero, large), kActor);
    if (!refused) break;
    jobs.push_back(refused->job.id);
  }
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::exhausted);
  CHECK_THAT(refused.error().message, Catch::Contains("your organisation's share of it is full"));
  CHECK(jobs.size() > 50);
  must(co_await world.service.start(other.org, order_for(theirs, large), kActor));
  must(co_await world.service.start(ours.org, order_for(ours.recipe, large), kActor));  // of a recipe that keeps it
  must(co_await world.service.cancel(ours.org, jobs[0], kActor));
  must(co_await world.service.start(ours.org, order_for(zero, large), kActor));
}

JOBS_TEST_CASE("such a job is not run again, whole or in part, and the reason is said", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours);
  const auto job = must(co_await world.service.start(ours.org, order_for(zero, "x"), kActor)).job.id;
  must(co_await world.service.cancel(ours.org, job, kActor));
  for (const std::string from : {"", "b"}) {
    const auto refused = co_await world.service.rerun(ours.org, {job, from}, kActor);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::conflict);
    CHECK_THAT(refused.error().message,
               Catch::Contains("retention: {payload: none}") && Catch::EndsWith("start the recipe anew"));
  }
}

JOBS_TEST_CASE("a job that was never begun goes on with another agent", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto spare = co_await world.add_agent(ours, ours.group);
  const auto zero = co_await zero_recipe(world, ours);
  must(co_await world.service.start(ours.org, order_for(zero, "some text"), kActor));
  auto first = world.link(ours), second = world.link(ours, spare, ours.group);
  world.connect(*first, 1);
  world.run();
  co_await world.rounds();
  REQUIRE(first->got<Dispatch>().size() == 1);
  world.dispatcher.link_down(*first);
  world.connect(*second, 1);
  world.clock.advance(2min);
  co_await world.rounds();
  REQUIRE(second->got<Dispatch>().size() == 1);
  CHECK(second->got<Dispatch>()[0].trigger_json == first->got<Dispatch>()[0].trigger_json);
  CHECK(second->got<Dispatch>()[0].held_before);  // steps that it may have begun are in doubt there (decision 0009)
}

// What its steps gave was with that agent alone.
JOBS_TEST_CASE("a job whose agent was lost after a step ends, and says why", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto spare = co_await world.add_agent(ours, ours.group);
  const auto zero = co_await zero_recipe(world, ours);
  world.run();
  for (const std::string status : {"succeeded", "failed", "skipped"}) {
    INFO(status);
    const auto job = must(co_await world.service.start(ours.org, order_for(zero, "some text"), kActor)).job.id;
    auto first = world.link(ours), second = world.link(ours, spare, ours.group);
    world.connect(*first, 1);
    co_await world.rounds();
    must(co_await world.recorder.record(*first, one_step(job, 1, status)));
    world.dispatcher.link_down(*first);
    world.connect(*second, 1);
    world.clock.advance(2min);
    co_await world.rounds();
    const auto stored = co_await world.job(ours, job);
    if (status == "skipped") {  // it gave nothing
      CHECK(second->got<Dispatch>().size() == 1);
      must(co_await world.recorder.record(*second, {report(job, 3, 1, ReportedJobEnd{"succeeded", "", "", ""})}));
    } else {
      CHECK(second->got<Dispatch>().empty());
      CHECK(stored.state == JobState::failed);
      CHECK(stored.error.error_class == kZeroRetention);
      const auto why = co_await world.why(stored);
      CHECK_THAT(why, Catch::Contains("what step \"a\" gave was only with the agent that ran it"));
    }
    CHECK(world.memory.held().jobs == 0);
    world.dispatcher.link_down(*second);
  }
}

JOBS_TEST_CASE("jobs that waited when the relay ended are told so by the next one", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto zero = co_await zero_recipe(world, ours), theirs = co_await zero_recipe(world, other);
  std::vector<std::pair<Tenant, JobId>> lost;
  for (int i = 0; i < 70; ++i) {  // more than end side by side
    const auto& [tenant, recipe] = i % 2 == 0 ? std::pair(ours, zero) : std::pair(other, theirs);
    const auto job = must(co_await world.service.start(tenant.org, order_for(recipe, "x"), kActor)).job.id;
    lost.emplace_back(tenant, job);
  }
  const auto kept = co_await world.queue(ours);
  NextRelay next(world, co_await asio::this_coro::executor);
  must(co_await next.dispatcher.restore());
  for (const auto& [tenant, id] : lost) {
    const auto job = co_await world.job(tenant, id);
    CHECK(job.state == JobState::failed);
    CHECK(job.error.error_class == kZeroRetention);
    const auto why = co_await world.why(job);
    CHECK_THAT(why, Catch::Contains("only in the memory of the relay") && Catch::EndsWith("Start it again"));
  }
  CHECK((co_await world.job(ours, kept)).state == JobState::queued);
}

JOBS_TEST_CASE("a store that fails while lost jobs are ended ends the start, not the rest of them",
               "[jobs][zero-retention][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours);
  const auto job = must(co_await world.service.start(ours.org, order_for(zero, "x"), kActor)).job.id;
  NextRelay next(world, co_await asio::this_coro::executor);
  for (const std::string_view call : {"jobs.finish", "jobs.queued_without_payload"}) {
    world.faults.refuses = [call](std::string_view name) { return name == call; };
    const auto failed = co_await next.dispatcher.restore();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Errc::unavailable);
    CHECK((co_await world.job(ours, job)).state == JobState::queued);
  }
  world.faults.refuses = nullptr;
  must(co_await next.dispatcher.restore());
  CHECK((co_await world.job(ours, job)).state == JobState::failed);
}

// Its agent goes on with what it has; only another one would need the data.
JOBS_TEST_CASE("an agent that holds a job through a restart of the relay finishes it", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours);
  const auto started = [&]() -> awaitable<JobId> {
    const auto job = must(co_await world.service.start(ours.org, order_for(zero, "x"), kActor)).job.id;
    must(co_await world.stores.jobs.claim(ours.org, job, {ours.agent, 0, world.clock.wall(), world.clock.wall()}));
    co_return job;
  };
  const auto done = co_await started(), idle = co_await started(), midway = co_await started();
  auto link = world.link(ours);
  must(co_await world.recorder.record(*link, one_step(midway, 1, "")));
  NextRelay next(world, co_await asio::this_coro::executor);
  must(co_await next.dispatcher.restore());
  must(co_await world.recorder.record(*link, talkative_run(done, 1, "w")));
  CHECK((co_await world.job(ours, done)).error.error_class == "connection");

  world.clock.advance(2min);  // and never comes back to the others; no other agent is there either
  world.tasks.spawn("next", next.dispatcher.run());
  for (const auto& job : {idle, midway}) {
    while (!domain::is_final((co_await world.job(ours, job)).state))
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
  const auto lost = co_await world.job(ours, idle);
  CHECK(lost.state == JobState::failed);
  CHECK(lost.error.error_class == kZeroRetention);
  CHECK_THAT(co_await world.why(lost), Catch::Contains("did after its last report is not known"));
  const auto doubted = co_await world.job(ours, midway);
  CHECK(doubted.state == JobState::in_doubt);
  CHECK(doubted.error.error_class == kZeroRetention);
  CHECK(doubted.error.failed_step == "a");
  world.tasks.stop();
  co_await world.tasks.join();
}

JOBS_TEST_CASE("a job that another agent claims after its data went ends with the reason", "[jobs][zero-retention]") {
  const auto ours = co_await world.settle("ours");
  const auto zero = co_await zero_recipe(world, ours);
  const auto job = must(co_await world.service.start(ours.org, order_for(zero, "x"), kActor)).job.id;
  world.memory.forget({ours.org, job});
  auto link = world.link(ours);
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  CHECK(link->got<Dispatch>().empty());
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::failed);
  CHECK(stored.error.error_class == kZeroRetention);
}
