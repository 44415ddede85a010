#include "relay/jobs/sealing.h"
#include "tests/unit/relay/jobs/world.h"

#include "shared/base/json.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;

namespace {

const Actor kActor{"user:test"};

StartJob order_for(const RecipeId& recipe, std::string_view inputs = "{}") {
  return {.recipe = recipe, .version = std::nullopt, .inputs = must(parse_json(inputs)), .event_key = ""};
}

bool says(const Error& error, std::string_view word) { return error.message.find(word) != std::string::npos; }

struct Run {
  std::vector<std::pair<std::string, std::string>> outputs;  // of steps that succeeded
  std::string failed_step = {};
};

// The job as its agent would have left it.
awaitable<void> play(JobsWorld& world, Tenant tenant, JobId job, Run run) {
  auto link = world.link(tenant);
  const auto claimed = must(
      co_await world.stores.jobs.claim(tenant.org, job, {tenant.agent, 0, world.clock.wall(), world.clock.wall()}));
  std::vector<Report> reports;
  const auto add = [&](decltype(Report::what) what) {
    const auto seq = reports.size() + 1;
    reports.push_back({seq, job, claimed.job.lease_epoch, seq, unix_ms(world.clock.wall()), std::move(what)});
  };
  add(ReportedJobStart{});
  for (const auto& [path, output] : run.outputs)
    add(ReportedStepEnd{path, 1, "succeeded", output, "", "", std::nullopt, "log.write@1"});
  if (run.failed_step.empty()) {
    add(ReportedJobEnd{"succeeded", "", "", ""});
  } else {
    add(ReportedStepEnd{run.failed_step, 1, "failed", "", "connection", "no route", std::nullopt});
    add(ReportedJobEnd{"failed", "connection", "no route", run.failed_step});
  }
  must(co_await world.recorder.record(*link, std::move(reports)));
}

}  // namespace

JOBS_TEST_CASE("a start queues the active version with its inputs", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto added = must(co_await world.service.start(ours.org, order_for(ours.recipe, R"({"key":"k"})"), kActor));
  CHECK(added.outcome == store::AddOutcome::added);
  CHECK(added.job.state == JobState::queued);
  CHECK(added.job.version == 1);
  CHECK(added.job.group == ours.group);
  CHECK(added.job.trigger_kind == "manual");
  const auto sealed = must(co_await world.stores.jobs.sealed_trigger(ours.org, added.job.id));
  const auto trigger = must(co_await world.envelope.open(trigger_identity(ours.org, added.job.id), sealed));
  CHECK(trigger.reveal() == R"({"inputs":{"key":"k"},"kind":"manual"})");
}

JOBS_TEST_CASE("the same event key is one job, in its own organisation and recipe", "[jobs][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  auto order = order_for(ours.recipe);
  order.event_key = "order-17";
  const auto first = must(co_await world.service.start(ours.org, order, kActor));
  const auto again = must(co_await world.service.start(ours.org, order, kActor));
  CHECK(again.outcome == store::AddOutcome::duplicate);
  CHECK(again.job.id == first.job.id);
  order.recipe = other.recipe;
  const auto theirs = must(co_await world.service.start(other.org, order, kActor));
  CHECK(theirs.outcome == store::AddOutcome::added);
  order.event_key.clear();
  const auto third = must(co_await world.service.start(other.org, order, kActor));
  CHECK(third.outcome == store::AddOutcome::added);
}

JOBS_TEST_CASE("a recipe that skips what comes besides is not started over its limit", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto limit = [](std::string_view conflict) {
    return fmt::format("concurrency: {{limit: 1, key: \"${{{{ inputs.key }}}}\", on_conflict: {}}}\n", conflict);
  };
  const auto recipe = co_await world.add_recipe(ours, manual_recipe("single", limit("skip")));
  const auto first = must(co_await world.service.start(ours.org, order_for(recipe, R"({"key":"k"})"), kActor));
  const auto besides = co_await world.service.start(ours.org, order_for(recipe, R"({"key":"k"})"), kActor);
  REQUIRE_FALSE(besides);
  CHECK(besides.error().code == Errc::conflict);
  CHECK(says(besides.error(), "as often as its concurrency allows"));
  must(co_await world.service.start(ours.org, order_for(recipe, R"({"key":"other"})"), kActor));
  co_await play(world, ours, first.job.id, {});
  must(co_await world.service.start(ours.org, order_for(recipe, R"({"key":"k"})"), kActor));
  const auto queues = co_await world.add_recipe(ours, manual_recipe("queueing", limit("queue")));
  for (int i = 0; i < 2; ++i) must(co_await world.service.start(ours.org, order_for(queues, R"({"key":"k"})"), kActor));
}

JOBS_TEST_CASE("a start that cannot be is refused with the reason", "[jobs][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  const auto idle = co_await world.add_recipe(ours, manual_recipe("idle"));
  must(co_await world.stores.recipes.activate(ours.org, idle, {1, std::nullopt}));
  const auto keyed = co_await world.add_recipe(
      ours, manual_recipe("keyed", "concurrency: {limit: 1, key: \"${{ inputs.key.substring(5) }}\"}\n"));
  auto on_mars = manual_recipe("lost");
  const auto lost = co_await world.add_recipe(ours, on_mars.replace(on_mars.find("dc1"), 3, "mars"));
  auto absent_version = order_for(ours.recipe);
  absent_version.version = 9;
  struct Case {
    std::string what;
    StartJob order;
    Errc code;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"another organisation's recipe", order_for(other.recipe), Errc::not_found, ""},
      {"no such recipe", order_for(RecipeId("rcp_none")), Errc::not_found, ""},
      {"no such version", absent_version, Errc::not_found, ""},
      {"not active", order_for(idle), Errc::conflict, "activate one first"},
      {"starts by itself", order_for(watching), Errc::invalid, "manual@1"},
      {"wrong type of input", order_for(ours.recipe, R"({"key":1})"), Errc::invalid, "key"},
      {"unknown input", order_for(ours.recipe, R"({"kye":"a"})"), Errc::invalid, "kye"},
      {"its group is not there", order_for(lost), Errc::conflict, "\"mars\", which does not exist; create it first"},
      {"the concurrency key fails", order_for(keyed, R"({"key":"a"})"), Errc::invalid, "concurrency.key"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto outcome = co_await world.service.start(ours.org, one.order, kActor);
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == one.code);
    CHECK(says(outcome.error(), one.fragment));
  }
}

JOBS_TEST_CASE("a start that fails in the store queues nothing", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  world.faults.refuses = [](std::string_view call) { return call == "jobs.add"; };
  auto outcome = co_await world.service.start(ours.org, order_for(ours.recipe), kActor);
  CHECK(outcome.error().code == Errc::unavailable);
  world.faults.refuses = nullptr;
  world.envelope.broken = Errc::unavailable;
  outcome = co_await world.service.start(ours.org, order_for(ours.recipe), kActor);
  CHECK(outcome.error().code == Errc::unavailable);
  const auto queues = must(co_await world.stores.jobs.queues());
  CHECK(queues.empty());
}

JOBS_TEST_CASE("cancelling what has ended, or is somebody else's", "[jobs][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto job = co_await world.queue(ours);
  auto outcome = co_await world.service.cancel(other.org, job, kActor);
  CHECK(outcome.error().code == Errc::not_found);
  must(co_await world.service.cancel(ours.org, job, kActor));
  outcome = co_await world.service.cancel(ours.org, job, kActor);
  CHECK(outcome.error().code == Errc::conflict);
}

// An agent was in the middle of a step when it was lost.
awaitable<JobId> lost_in_a_step(JobsWorld& world, Tenant tenant) {
  auto link = world.link(tenant);
  const auto job = co_await world.queue(tenant);
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(tenant.org, job, {tenant.agent, 0, now, now}));
  must(co_await world.recorder.record(*link, {{1, job, 1, 1, unix_ms(now), ReportedJobStart{}},
                                              {2, job, 1, 2, unix_ms(now), ReportedStepStart{"a", 1, "log.write@1"}}}));
  must(co_await world.stores.jobs.release(tenant.org, job, 1, {now, domain::ReleaseReason::holder_lost, {}}));
  co_return job;
}

JOBS_TEST_CASE("a job that is cancelled after its holder was lost in a step is in doubt, and says why", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await lost_in_a_step(world, ours);
  const auto ended = must(co_await world.service.cancel(ours.org, job, kActor));
  CHECK(ended.state == JobState::in_doubt);
  CHECK(ended.error.error_class == "holder_lost");
  CHECK(ended.error.failed_step == "a");
  const auto why = co_await world.why(ended);
  CHECK(why.starts_with("the agent that ran the job was lost in the middle of a step, and the job was cancelled"));
  const auto idle = must(co_await world.service.cancel(ours.org, co_await world.queue(ours), kActor));
  CHECK(idle.state == JobState::cancelled);
  CHECK(idle.error.error_class.empty());
  CHECK_FALSE(idle.error.sealed_message.has_value());
}

JOBS_TEST_CASE("a cancel does not wait for the key of its message", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await lost_in_a_step(world, ours);
  world.envelope.broken = Errc::unavailable;
  const auto ended = must(co_await world.service.cancel(ours.org, job, kActor));
  CHECK(ended.state == JobState::in_doubt);
  CHECK(ended.error.error_class == "holder_lost");
  CHECK_FALSE(ended.error.sealed_message.has_value());
  CHECK(world.lines.has("job.error_not_sealed"));
}

JOBS_TEST_CASE("a start has the recipe's priority unless it gives its own, which may be 0", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto urgent = co_await world.add_recipe(ours, manual_recipe("urgent", "priority: 5\n"));
  struct Case {
    RecipeId recipe;
    std::optional<std::int32_t> given;
    std::int32_t priority;
  };
  const Case cases[] = {{urgent, {}, 5}, {urgent, 0, 0}, {urgent, 9, 9}, {ours.recipe, {}, 0}, {ours.recipe, 3, 3}};
  for (const auto& one : cases) {
    auto order = order_for(one.recipe);
    order.priority = one.given;
    const auto added = must(co_await world.service.start(ours.org, std::move(order), kActor));
    CHECK(added.job.priority == one.priority);
  }
}

JOBS_TEST_CASE("a re-run has the same version and data, and keeps nothing", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto old = co_await world.queue(ours, {}, R"({"key":"k"})");
  auto outcome = co_await world.service.rerun(ours.org, {old, ""}, kActor);
  CHECK(outcome.error().code == Errc::conflict);  // it has not ended
  co_await play(world, ours, old, {{{"a", "{}"}}, "b"});
  co_await world.add_recipe(ours, manual_recipe("orders", "vars: {x: 1}\n"));  // version 2 is active now
  const auto again = must(co_await world.service.rerun(ours.org, {old, ""}, kActor));
  CHECK(again.id != old);
  CHECK(again.version == 1);
  CHECK(again.rerun_of == old);
  CHECK(again.trigger_kind == "rerun");
  const auto sealed = must(co_await world.stores.jobs.sealed_trigger(ours.org, again.id));
  const auto trigger = must(co_await world.envelope.open(trigger_identity(ours.org, again.id), sealed));
  CHECK(trigger.reveal() == R"({"inputs":{"key":"k"},"kind":"manual"})");
  const auto kept = must(co_await world.stores.history.completed(ours.org, again.id, 1'000));
  CHECK(kept.empty());
}

JOBS_TEST_CASE("a re-run from a step takes over what came before it", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto old = co_await world.queue(ours);
  co_await play(world, ours, old, {{{"a", R"({"n":1})"}, {"b", R"({"n":2})"}}, "c"});
  const auto again = must(co_await world.service.rerun(ours.org, {old, "c"}, kActor));
  auto link = world.link(ours);
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  const auto got = link->got<Dispatch>();
  REQUIRE(got.size() == 1);
  CHECK(got[0].lease.job == again.id);
  REQUIRE(got[0].done.size() == 2);
  CHECK(got[0].done[0].path == "a");
  CHECK(got[0].done[1].output_json == R"({"n":2})");
  const auto shown = must(co_await world.stores.history.steps(ours.org, again.id, {}, {})).items;
  REQUIRE(shown.size() == 2);
  CHECK(shown[1].path == "b");
  CHECK(shown[1].uses == "log.write@1");
}

JOBS_TEST_CASE("a re-run from a step that cannot be", "[jobs][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto masked = co_await world.queue(ours), failed = co_await world.queue(ours),
             body = co_await world.queue(ours), large = co_await world.queue(ours);
  co_await play(world, ours, large, {{{"a", '"' + std::string(kMaxDone, 'x') + '"'}, {"b", "{}"}}, "c"});
  co_await play(world, ours, masked, {{{"a", R"({"n":"***"})"}, {"b", "{}"}}, "c"});
  co_await play(world, ours, failed, {{{"a", "{}"}}, "b"});
  co_await play(world, ours, body, {{{"a", R"({"file":{"$handle":"spool","id":"1"}})"}, {"b", "{}"}}, "c"});
  struct Case {
    std::string what;
    OrgId org;
    RerunJob request;
    Errc code;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"no such step", ours.org, {failed, "z"}, Errc::invalid, "no step \"z\""},
      {"an earlier one did not complete", ours.org, {failed, "c"}, Errc::invalid, "step \"b\" did not complete"},
      {"a masked result", ours.org, {masked, "c"}, Errc::invalid, "kept only by the agent"},
      {"a body on the agent", ours.org, {body, "c"}, Errc::invalid, "kept only by the agent"},
      {"more than can be handed on", ours.org, {large, "c"}, Errc::too_large, "can be handed on"},
      {"another organisation's job", other.org, {failed, ""}, Errc::not_found, ""},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto outcome = co_await world.service.rerun(one.org, one.request, kActor);
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == one.code);
    CHECK(says(outcome.error(), one.fragment));
  }
}

JOBS_TEST_CASE("a step that may fail does not stand in the way of a re-run after it", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto yaml = manual_recipe("lenient");
  yaml.replace(yaml.find("with: {text: b}"), 15, "with: {text: b}, on_failure: continue");
  const auto lenient = co_await world.add_recipe(ours, yaml);
  const auto old = co_await world.queue(ours, lenient);
  co_await play(world, ours, old, {{{"a", "{}"}}, "b"});
  const auto again = co_await world.service.rerun(ours.org, {old, "c"}, kActor);
  CHECK(again.has_value());
}
