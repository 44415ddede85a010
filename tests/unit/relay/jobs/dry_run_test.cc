#include "tests/unit/relay/jobs/world.h"

#include "shared/base/json.h"

// Dry runs on the relay: to whom they go, and what they do not count as (docs/dry-run.md).
using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;

namespace {

const Actor kActor{"user:test"};

StartJob order_for(const RecipeId& recipe, store::Mode mode = store::Mode::dry_run) {
  return {.recipe = recipe, .version = std::nullopt, .inputs = Value(ValueMap{}), .event_key = "", .mode = mode};
}

std::unique_ptr<FakeLink> link_of(const Tenant& tenant, bool knows_dry_runs) {
  return std::make_unique<FakeLink>(
      LinkedAgent{.org = tenant.org, .agent = tenant.agent, .group = tenant.group, .knows_dry_runs = knows_dry_runs});
}

}  // namespace

JOBS_TEST_CASE("a dry run goes to an agent that knows them, as one", "[jobs][dry]") {
  const auto ours = co_await world.settle("ours");
  const auto dry = must(co_await world.service.start(ours.org, order_for(ours.recipe), kActor)).job;
  const auto real = must(co_await world.service.start(ours.org, order_for(ours.recipe, store::Mode::real), kActor)).job;
  auto link = link_of(ours, true);
  world.connect(*link, 4);
  world.run();
  co_await world.rounds();
  const auto got = link->got<Dispatch>();
  REQUIRE(got.size() == 2);
  for (const auto& dispatch : got) {
    CHECK(dispatch.mode == (dispatch.lease.job == dry.id ? store::Mode::dry_run : store::Mode::real));
    CHECK((dispatch.lease.job == dry.id || dispatch.lease.job == real.id));
  }
}

JOBS_TEST_CASE("an agent that knows no dry runs gets none, and the job says what to do", "[jobs][dry]") {
  const auto ours = co_await world.settle("ours");
  const auto dry = must(co_await world.service.start(ours.org, order_for(ours.recipe), kActor)).job;
  auto link = link_of(ours, false);
  world.connect(*link, 4);
  world.run();
  co_await world.rounds();
  CHECK(link->got<Dispatch>().empty());
  const auto ended = co_await world.job(ours, dry.id);
  CHECK(ended.state == JobState::failed);
  CHECK(ended.error.error_class == "invalid");
  const auto why = co_await world.why(ended);
  CHECK(why.contains("is of a version that knows no dry runs"));
  CHECK(why.contains("update the agents of the group"));
  // Positive control: it does get real ones, and its slot was given back.
  const auto real = must(co_await world.service.start(ours.org, order_for(ours.recipe, store::Mode::real), kActor)).job;
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  CHECK(link->got<Dispatch>()[0].lease.job == real.id);
}

JOBS_TEST_CASE("a dry run is the run of no event", "[jobs][dry]") {
  const auto ours = co_await world.settle("ours");
  auto order = order_for(ours.recipe);
  order.event_key = "order-17";
  const auto refused = co_await world.service.start(ours.org, order, kActor);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::invalid);
  CHECK(refused.error().message.contains("a dry run has no event key"));
  order.mode = store::Mode::real;
  CHECK(must(co_await world.service.start(ours.org, order, kActor)).outcome == store::AddOutcome::added);
}

JOBS_TEST_CASE("a dry run takes no place of its recipe's concurrency", "[jobs][dry]") {
  const auto ours = co_await world.settle("ours");
  const auto alone =
      co_await world.add_recipe(ours, manual_recipe("alone", "concurrency: {limit: 1, on_conflict: skip}\n"));
  const auto mode = GENERATE(store::Mode::dry_run, store::Mode::real);  // positive control
  const auto first = must(co_await world.service.start(ours.org, order_for(alone, mode), kActor)).job;
  const auto at = world.clock.wall();
  if (GENERATE(false, true)) must(co_await world.stores.jobs.claim(ours.org, first.id, {ours.agent, 0, at, at}));
  const auto besides = co_await world.service.start(ours.org, order_for(alone, store::Mode::real), kActor);
  CHECK(besides.has_value() == (mode == store::Mode::dry_run));
  const auto dry = co_await world.service.start(ours.org, order_for(alone), kActor);
  CHECK(dry.has_value());
}

JOBS_TEST_CASE("a dry run that is run again is a dry run, of all its steps", "[jobs][dry]") {
  const auto ours = co_await world.settle("ours");
  const auto dry = must(co_await world.service.start(ours.org, order_for(ours.recipe), kActor)).job;
  must(co_await world.service.cancel(ours.org, dry.id, kActor));
  const auto again = must(co_await world.service.rerun(ours.org, {dry.id, ""}, kActor));
  CHECK(again.mode == store::Mode::dry_run);
  CHECK((co_await world.job(ours, again.id)).mode == store::Mode::dry_run);
  const auto part = co_await world.service.rerun(ours.org, {dry.id, "b"}, kActor);
  REQUIRE_FALSE(part);
  CHECK(part.error().code == Errc::invalid);
  CHECK(part.error().message.contains("without from_step"));
}

JOBS_TEST_CASE("what a dry run did with a step is kept, and given to the next holder", "[jobs][dry]") {
  const auto ours = co_await world.settle("ours");
  const auto dry = must(co_await world.service.start(ours.org, order_for(ours.recipe), kActor)).job;
  const auto at = world.clock.wall();
  const auto claimed = must(co_await world.stores.jobs.claim(ours.org, dry.id, {ours.agent, 0, at, at}));
  auto link = link_of(ours, true);
  std::vector<Report> reports;
  const auto add = [&](decltype(Report::what) what) {
    const auto seq = reports.size() + 1;
    reports.push_back({seq, dry.id, claimed.job.lease_epoch, seq, unix_ms(at), std::move(what)});
  };
  add(ReportedJobStart{});
  add(ReportedStepEnd{"a", 1, "succeeded", "", "", "", std::nullopt, "file.write@1", "planned"});
  add(ReportedStepEnd{"b", 1, "succeeded", "{}", "", "", std::nullopt, "sql.execute@1", "no such word"});
  must(co_await world.recorder.record(*link, std::move(reports)));
  const auto steps = must(co_await world.stores.history.steps(ours.org, dry.id, {}, {})).items;
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].plan == "planned");
  CHECK(steps[1].plan.empty());
  const auto done = must(co_await world.parcels.completed(co_await world.job(ours, dry.id)));
  REQUIRE(done.size() == 2);
  CHECK(done[0].plan == "planned");
  CHECK(done[1].plan.empty());
}
