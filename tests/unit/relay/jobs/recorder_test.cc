#include "relay/jobs/sealing.h"
#include "shared/base/utf8.h"
#include "tests/support/canary.h"
#include "tests/support/key_ring.h"
#include "tests/unit/relay/jobs/world.h"

#include <algorithm>
#include <random>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;
using domain::StepStatus;

namespace {

Report report(JobId job, std::uint64_t epoch, std::uint64_t job_seq, decltype(Report::what) what) {
  return {.seq = job_seq,
          .job = std::move(job),
          .epoch = epoch,
          .job_seq = job_seq,
          .at_ms = 1'700'000'000'000 + static_cast<std::int64_t>(job_seq),
          .what = std::move(what)};
}

// A whole run of a job with one step: five reports.
std::vector<Report> whole_run(const JobId& job, std::uint64_t epoch, RecipeId recipe = {}) {
  return {report(job, epoch, 1, ReportedJobStart{std::move(recipe), 1, R"({"kind":"schedule"})", "", "schedule"}),
          report(job, epoch, 2, ReportedStepStart{"a", 1, "log.write@1", R"({"text":"a"})"}),
          report(job, epoch, 3, ReportedLog{"a", "info", "a line"}),
          report(job, epoch, 4, ReportedStepEnd{"a", 1, "succeeded", "{\"n\":1}", "", "", std::nullopt}),
          report(job, epoch, 5, ReportedJobEnd{"succeeded", "", "", ""})};
}

// A job that `link`'s agent holds under epoch 1.
awaitable<JobId> held_job(JobsWorld& world, Tenant tenant, FakeLink& link) {
  auto job = co_await world.queue(tenant);
  must(
      co_await world.stores.jobs.claim(tenant.org, job, {link.who().agent, 0, world.clock.wall(), world.clock.wall()}));
  co_return job;
}

awaitable<std::vector<std::string>> audited(JobsWorld& world, OrgId org) {
  const auto page = must(co_await world.stores.audit_log.list(std::move(org), {}, {.limit = 200}));
  std::vector<std::string> events;
  for (const auto& row : page.items) events.push_back(store::whole_json(row.event));
  co_return events;
}

awaitable<std::size_t> events_of(JobsWorld& world, Tenant tenant, JobId job) {
  const auto events = must(co_await world.stores.history.events(tenant.org, std::move(job), {}));
  co_return events.items.size();
}

}  // namespace

JOBS_TEST_CASE("the action of a step that never began comes with its end", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  std::vector<Report> reports{report(job, 1, 1, ReportedStepEnd{"a", 1, "skipped", "", "", "", {}, "log.write@1"})};
  must(co_await world.recorder.record(*link, std::move(reports)));
  const auto steps = must(co_await world.stores.history.steps(ours.org, job, {}, {})).items;
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].uses == "log.write@1");
}

JOBS_TEST_CASE("reports become history, with payloads sealed for their place", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  auto watcher = *world.feed.subscribe({ours.org, "token:test"}, {});
  must(co_await world.recorder.record(*link, whole_run(job, 1)));

  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::succeeded);
  const auto steps = must(co_await world.stores.history.steps(ours.org, job, {}, {})).items;
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].status == StepStatus::succeeded);
  const auto payloads = must(co_await world.stores.history.payloads(ours.org, job, {{"a", 1}}));
  const auto output =
      must(co_await world.envelope.open(step_identity(ours.org, "output", job, "a", 1), *payloads[0].sealed_output));
  CHECK(output.reveal() == "{\"n\":1}");
  const auto input =
      must(co_await world.envelope.open(step_identity(ours.org, "input", job, "a", 1), *payloads[0].sealed_input));
  CHECK(input.reveal() == R"({"text":"a"})");
  const auto events = must(co_await world.stores.history.events(ours.org, job, {})).items;
  REQUIRE(events.size() == 5);
  const auto text = must(co_await world.envelope.open(log_identity(ours.org, job, 1, 3), *events[2].sealed_text));
  CHECK(text.reveal() == "a line");
  const auto news = co_await watcher->next(std::chrono::steady_clock::now() + 1s);
  CHECK(std::holds_alternative<JobChange>(news));
}

JOBS_TEST_CASE("what an agent with a clock in the past tells has not happened before the job was made",
               "[jobs][clock]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  auto reports = whole_run(job, 1);
  const auto made = world.clock.wall();
  for (auto& one : reports) one.at_ms = unix_ms(made) - 86'400'000;
  world.clock.advance(10ms);
  must(co_await world.recorder.record(*link, std::move(reports)));
  CHECK((co_await world.job(ours, job)).finished_at == made);
}

JOBS_TEST_CASE("what an agent with a clock in the future tells has happened by now", "[jobs][clock]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  world.clock.advance(10ms);
  auto reports = whole_run(job, 1);
  const auto now = world.clock.wall();
  for (auto& one : reports) one.at_ms = unix_ms(now) + 40LL * 86'400'000;
  reports[1].at_ms = unix_ms(now) - 5;
  must(co_await world.recorder.record(*link, std::move(reports)));
  const auto events = must(co_await world.stores.history.events(ours.org, job, {})).items;
  REQUIRE(events.size() == 5);
  for (const auto& event : events) CHECK(event.at == (event.job_seq == 2 ? now - 5ms : now));
  CHECK((co_await world.job(ours, job)).finished_at == now);
}

JOBS_TEST_CASE("why a step and a job failed is sealed for its record, and bounded", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  for (const auto& message :
       {std::string("no order 4711"), std::string(kMaxErrorText, 'x'), std::string(70'000, 'y')}) {
    INFO(message.size() << " bytes");
    const auto job = co_await held_job(world, ours, *link);
    auto reports = whole_run(job, 1);
    std::get<ReportedStepEnd>(reports[3].what) = {"a", 1, "failed", "", "connection", message, std::nullopt};
    std::get<ReportedJobEnd>(reports[4].what) = {"failed", "connection", message, "a"};
    must(co_await world.recorder.record(*link, std::move(reports)));
    const auto stored = co_await world.job(ours, job);
    CHECK(stored.error.error_class == "connection");
    CHECK(stored.error.failed_step == "a");
    const auto steps = must(co_await world.stores.history.steps(ours.org, job, {}, {})).items;
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].error_class == "connection");
    const auto of_step =
        must(co_await world.envelope.open(step_identity(ours.org, "message", job, "a", 1), *steps[0].sealed_message));
    const auto of_job = co_await world.why(stored);
    const auto kept = shortened(message, kMaxErrorText);
    CHECK(of_step.reveal() == kept);
    CHECK(of_job == kept);
    const auto elsewhere = co_await world.envelope.open(error_identity(ours.org, job), *steps[0].sealed_message);
    CHECK(!elsewhere);
  }
}

JOBS_TEST_CASE("the words of a failure are nowhere in the database's files", "[jobs][canary]") {
  const Canary canary("canary-c4e1/\"words\"&=\xc3\xbc"), control("control-c4e1/\"words\"&=\xc3\xbc");
  const auto ours = co_await world.settle("ours");
  KeyRing ring(co_await asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys);
  auto& envelope = ring.envelope;
  world.envelope.real = &envelope;
  Recorder recorder(co_await asio::this_coro::executor,
                    {world.agents, world.jobs, world.history, world.outlines, world.retention, world.assignments,
                     envelope, world.fingerprints, world.audit, world.dispatcher, world.feed, world.clock, world.log});
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  auto reports = whole_run(job, 1);
  std::get<ReportedStepEnd>(reports[3].what) = {"a", 1, "failed", "", control.text(), canary.text(), std::nullopt};
  std::get<ReportedJobEnd>(reports[4].what) = {"failed", "connection", canary.text(), "a"};
  reports.push_back(report(job, 1, 6, ReportedAgentEvent{"policy.refused", "files", canary.text()}));
  must(co_await recorder.record(*link, std::move(reports)));
  const auto steps = must(co_await world.stores.history.steps(ours.org, job, {}, {})).items;
  const auto told =
      must(co_await envelope.open(step_identity(ours.org, "message", job, "a", 1), *steps.at(0).sealed_message));
  CHECK(told.reveal() == canary.text());

  const std::filesystem::path log_of_writes = world.folder.path("relay.db-wal");
  REQUIRE(std::filesystem::file_size(log_of_writes) > 0);
  CHECK(canary.forms_below(log_of_writes.parent_path()) == std::vector<std::string>{});
  CHECK(canary.forms_in(world.lines.text) == std::vector<std::string>{});
  const auto found = control.forms_below(log_of_writes.parent_path());  // a class is kept in clear
  CHECK(std::ranges::count(found, "relay.db-wal: raw") == 1);
}

JOBS_TEST_CASE("reports that come again, whole or in part, change nothing", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  const auto all = whole_run(job, 1);
  for (std::size_t from = 0; from < all.size(); ++from) {
    for (std::size_t to = from + 1; to <= all.size(); ++to) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(from);
      must(co_await world.recorder.record(*link, {first, all.begin() + static_cast<std::ptrdiff_t>(to)}));
    }
  }
  const auto count = co_await events_of(world, ours, job);
  CHECK(count == all.size());
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::succeeded);
  CHECK(link->posted.empty());  // nobody was fenced
}

// A later word about a step is never replaced by an earlier one, in whatever order they come.
JOBS_TEST_CASE("reports out of order end in the same history", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto job = co_await held_job(world, ours, *link);
    auto all = whole_run(job, 1);
    std::ranges::shuffle(all, random);
    for (const auto& one : all) must(co_await world.recorder.record(*link, {one}));
    const auto stored = co_await world.job(ours, job);
    CHECK(stored.state == JobState::succeeded);
    const auto steps = must(co_await world.stores.history.steps(ours.org, job, {}, {})).items;
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].status == StepStatus::succeeded);
    CHECK(steps[0].payload_bytes > 0);
  }
}

JOBS_TEST_CASE("an end that is no end, or an unknown word, is a failure", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  for (const std::string word : {"running", "queued", "splendid", ""}) {
    INFO(word);
    const auto job = co_await held_job(world, ours, *link);
    auto all = whole_run(job, 1);
    std::get<ReportedStepEnd>(all[3].what).status = word;
    std::get<ReportedJobEnd>(all[4].what).status = word;
    must(co_await world.recorder.record(*link, std::move(all)));
    const auto stored = co_await world.job(ours, job);
    CHECK(stored.state == JobState::failed);
    const auto steps = must(co_await world.stores.history.steps(ours.org, job, {}, {})).items;
    CHECK(steps.at(0).status == StepStatus::failed);
  }
}

JOBS_TEST_CASE("reports of those who do not hold the job are spent, logged and fenced", "[jobs][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto colleague = co_await world.add_agent(ours, ours.group);
  auto holder = world.link(ours), same_group = world.link(ours, colleague, ours.group), foreign = world.link(other);
  const auto job = co_await held_job(world, ours, *holder);
  struct Case {
    std::string what;
    FakeLink* link;
    JobId job;
    std::uint64_t epoch;
  };
  const std::vector<Case> cases = {
      {"an old epoch", holder.get(), job, 0},
      {"an epoch to come", holder.get(), job, 2},
      {"another agent of the group", same_group.get(), job, 1},
      {"another organisation", foreign.get(), job, 1},
      {"an unknown job", holder.get(), crypto::new_id<JobId>(world.clock), 1},
      {"no job id", holder.get(), JobId("'; drop table jobs"), 0},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    one.link->posted.clear();
    world.lines.text.clear();
    const auto outcome = co_await world.recorder.record(*one.link, whole_run(one.job, one.epoch, ours.recipe));
    CHECK(outcome.has_value());  // may be acknowledged: it can never be stored
    CHECK(world.lines.has("report.refused"));
    REQUIRE(one.link->got<LeaseAnswer>().size() == 1);
    CHECK(one.link->got<LeaseAnswer>()[0].fenced[0].job == one.job);
    CHECK(one.link->got<LeaseAnswer>()[0].fenced[0].epoch == one.epoch);
    const auto count = co_await events_of(world, ours, job);
    CHECK(count == 0);
  }
}

JOBS_TEST_CASE("a refused batch does not keep the other jobs' reports from being stored", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto good = co_await held_job(world, ours, *link);
  auto reports = whole_run(JobId("job_none"), 7);
  std::ranges::copy(whole_run(good, 1), std::back_inserter(reports));
  must(co_await world.recorder.record(*link, std::move(reports)));
  const auto stored = co_await world.job(ours, good);
  CHECK(stored.state == JobState::succeeded);
}

// The heart of it: success is what lets the agent forget. Whatever fails at whatever call, a success means that all of
// it is stored, and a failure that the same reports may come again.
JOBS_TEST_CASE("nothing is acknowledged that is not stored, whichever call fails", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours);
  bool failed_once = true;
  for (std::size_t k = 1; failed_once; ++k) {
    REQUIRE(k < 100);
    for (const auto code : {Errc::unavailable, Errc::exhausted, Errc::internal, Errc::timed_out}) {
      INFO("call " << k << " fails with " << to_string(code));
      const auto held = co_await held_job(world, ours, *link);
      const auto own = crypto::new_id<JobId>(world.clock);
      auto reports = whole_run(held, 1);
      std::ranges::copy(whole_run(own, 0, watching), std::back_inserter(reports));
      reports.push_back(report(held, 1, 6, ReportedAgentEvent{"policy.refused", "sql.verbs", held.value}));
      world.faults.fail_at = k;
      world.faults.code = code;
      const auto first = co_await world.recorder.record(*link, reports);
      failed_once = world.faults.fail_at == 0;
      CHECK(first.has_value() != failed_once);
      world.faults.fail_at = 0;
      if (!first) must(co_await world.recorder.record(*link, reports));
      for (const auto& job : {held, own}) {
        const auto count = co_await events_of(world, ours, job);
        CHECK(count == 5);
        const auto stored = co_await world.job(ours, job);
        CHECK(stored.state == JobState::succeeded);
      }
      const auto events = co_await audited(world, ours.org);
      CHECK(std::ranges::count_if(events, [&](const auto& e) { return e.find(held.value) != std::string::npos; }) == 1);
    }
  }
  CHECK(link->posted.empty());
}

JOBS_TEST_CASE("a job of a local trigger is taken in from the agent that watches, and nobody else", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto colleague = co_await world.add_agent(ours, ours.group);
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours), stranger = world.link(ours, colleague, ours.group);

  const auto forged = crypto::new_id<JobId>(world.clock);
  must(co_await world.recorder.record(*stranger, whole_run(forged, 0, watching)));
  const auto absent = co_await world.stores.jobs.find(ours.org, forged);
  CHECK(absent.error().code == Errc::not_found);
  CHECK(stranger->got<LeaseAnswer>().size() == 1);

  const auto job = crypto::new_id<JobId>(world.clock);
  must(co_await world.recorder.record(*link, whole_run(job, 0, watching)));
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::succeeded);
  CHECK(stored.lease_epoch == 0);
  CHECK(stored.agent == ours.agent);
  CHECK(stored.trigger_kind == "schedule");
  const auto sealed = must(co_await world.stores.jobs.sealed_trigger(ours.org, job));
  const auto trigger = must(co_await world.envelope.open(trigger_identity(ours.org, job), sealed));
  CHECK(trigger.reveal() == R"({"kind":"schedule"})");
}

JOBS_TEST_CASE("a job of a local trigger has its recipe's limit and priority, and so has its re-run", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto limited = "priority: 7\nconcurrency: {limit: 1, key: \"k-${{ trigger.kind }}\"}\n";
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly") + limited);
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours);
  const auto first = crypto::new_id<JobId>(world.clock), second = crypto::new_id<JobId>(world.clock);
  must(co_await world.recorder.record(*link, whole_run(first, 0, watching)));
  const auto again = must(co_await world.service.rerun(ours.org, {first, "", ""}, {"user:test"}));
  CHECK(again.concurrency_limit == 1);
  CHECK(again.concurrency_key == "k-schedule");
  CHECK(again.priority == 7);

  auto all = whole_run(second, 0, watching);
  must(co_await world.recorder.record(*link, {all[0]}));
  const auto colleague = co_await world.add_agent(ours, ours.group);
  const store::Claim claim{colleague, 0, world.clock.wall(), world.clock.wall()};
  const auto refused = co_await world.stores.jobs.claim(ours.org, again.id, claim);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::exhausted);
  must(co_await world.recorder.record(*link, all));
  must(co_await world.stores.jobs.claim(ours.org, again.id, claim));
}

// The acknowledgement of the start may be lost, and the recipe be switched off before the reports come again.
JOBS_TEST_CASE("a local job that is known goes on when its recipe is no longer watched", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours);
  const auto job = crypto::new_id<JobId>(world.clock);
  const auto all = whole_run(job, 0, watching);
  must(co_await world.recorder.record(*link, {all[0], all[1]}));
  must(co_await world.stores.assignments.withdraw(ours.org, watching));
  must(co_await world.recorder.record(*link, all));
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::succeeded);
  CHECK(link->posted.empty());
}

// It ran while the link was down, and the recipe was switched off before the agent could tell.
JOBS_TEST_CASE("a local job of a recipe that was taken away meanwhile has a history", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  must(co_await world.stores.assignments.withdraw(ours.org, watching));
  auto link = world.link(ours);
  const auto job = crypto::new_id<JobId>(world.clock);
  must(co_await world.recorder.record(*link, whole_run(job, 0, watching)));
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::succeeded);
  CHECK(link->posted.empty());
}

JOBS_TEST_CASE("an agent cannot take over a queued job by naming it as its own", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours);
  const auto queued = co_await world.queue(ours);
  must(co_await world.recorder.record(*link, whole_run(queued, 0, watching)));
  const auto stored = co_await world.job(ours, queued);
  CHECK(stored.state == JobState::queued);
  CHECK(link->got<LeaseAnswer>().size() == 1);
}

JOBS_TEST_CASE("the same event from a local trigger makes one job", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, watching, 1, ours.agent}));
  auto link = world.link(ours);
  const auto first = crypto::new_id<JobId>(world.clock), second = crypto::new_id<JobId>(world.clock);
  for (const auto& id : {first, second}) {
    auto all = whole_run(id, 0, watching);
    std::get<ReportedJobStart>(all[0].what).event_key = "sha256:1";
    must(co_await world.recorder.record(*link, std::move(all)));
  }
  const auto stored = co_await world.job(ours, first);
  CHECK(stored.state == JobState::succeeded);
  const auto absent = co_await world.stores.jobs.find(ours.org, second);
  CHECK(absent.error().code == Errc::not_found);
  CHECK(link->got<LeaseAnswer>().size() == 1);
}

JOBS_TEST_CASE("the agent's refusals reach the ledger, and a bad one holds nothing up", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  const auto job = co_await held_job(world, ours, *link);
  auto reports = whole_run(job, 1);
  reports.insert(reports.begin() + 2, report(job, 1, 6, ReportedAgentEvent{"Not A Kind", "", ""}));
  reports.push_back(report(job, 1, 7, ReportedAgentEvent{"policy.refused", "sql.verbs", "delete is not allowed"}));
  reports.push_back(report(JobId(), 0, 0, ReportedAgentEvent{"trigger.failed", "", "no such directory"}));
  must(co_await world.recorder.record(*link, std::move(reports)));
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::succeeded);
  const auto events = co_await audited(world, ours.org);
  REQUIRE(events.size() == 2);
  const auto has = [&](std::string_view word) {
    return std::ranges::any_of(events, [&](const auto& e) { return e.find(word) != std::string::npos; });
  };
  CHECK(has("sql.verbs"));
  CHECK(has("trigger.failed"));
  CHECK(has("no such directory"));
  CHECK(!has("delete is not allowed"));  // it may name what is in the job's data; the sealed history has it
  CHECK(has("job:" + job.value));
  CHECK(has("agent:" + ours.agent.value));
  CHECK(link->posted.empty());
  CHECK(world.lines.has("report.not_audited"));
}

JOBS_TEST_CASE("the end of a job ends its lease and frees its place", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto limited = co_await world.add_recipe(ours, manual_recipe("limited", "concurrency: {limit: 1}\n"));
  const auto first = co_await world.queue(ours, limited), second = co_await world.queue(ours, limited);
  auto link = world.link(ours);
  world.connect(*link, 5);
  world.run();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  must(co_await world.recorder.record(*link, whole_run(link->got<Dispatch>()[0].lease.job, 1)));
  co_await world.rounds();
  CHECK(link->got<Dispatch>().size() == 2);
  CHECK(world.dispatcher.leases().size() == 1);
  CHECK(first != second);
}
