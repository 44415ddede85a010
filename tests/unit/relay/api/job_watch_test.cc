#include "relay/jobs/sealing.h"
#include "shared/base/json.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/running_job.h"

// The live view of a job: server-sent events, as they are made.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::Role;

ASYNC_TEST_CASE("a live view of 25,000 steps loses none", "[api][jobs][watch][limits]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  constexpr std::size_t kSteps = 25'000;
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  const auto begin = co_await collect(*source, 1);
  CHECK(names_of(begin) == "job ");
  co_await run_items(world, run, kSteps);
  co_await report(world, run, kSteps + 1, store::JobFinished{domain::JobState::succeeded, {}});
  const auto told = co_await collect(*source, kSteps + 10);
  std::uint64_t seq = 0;
  for (const auto& event : told) {
    if (!event.id.empty() && event.id != std::to_string(++seq)) FAIL("event " << seq << " is missing");
  }
  CHECK(seq == kSteps + 1);
  REQUIRE(!told.empty());
  CHECK(told.back().name == "end");
}

ASYNC_TEST_CASE("a job is watched live to its end", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  const auto first = co_await collect(*source, 1);
  CHECK(names_of(first) == "job ");
  CHECK(first[0].data.find("\"state\":\"dispatched\"") != std::string::npos);

  co_await report(world, run, 1, store::JobStarted{});
  const auto started = co_await collect(*source, 2);
  CHECK(names_of(started) == "job job.started#1 ");
  co_await report_step(world, run, 2, R"({"rows":3})");
  const auto step = co_await collect(*source, 2);
  CHECK(names_of(step) == "step.started#2 step.finished#3 ");
  CHECK(step[1].data.find("rows") != std::string::npos);
  co_await report(world, run, 4, store::JobFinished{domain::JobState::succeeded, {}});
  const auto last = co_await collect(*source, 10);
  CHECK(names_of(last) == "job job.finished#4 end ");
}

ASYNC_TEST_CASE("a job that is taken back says so, live and afterwards, and from which agent", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  const auto reader = run.tenant.token(Role::viewer);
  co_await report(world, run, 1, store::JobStarted{});
  must(co_await world.stores.jobs.release(run.tenant.org, run.job, 1,
                                          {world.clock.wall(), domain::ReleaseReason::agent_revoked}));
  auto source = co_await watch(world, run, reader);
  const auto told = co_await collect(*source, 3);
  CHECK(names_of(told) == "job job.started#1 job.taken_back#2 ");
  const auto place = "/v1/jobs/" + run.job.value + "/events";
  const auto all = json_of(co_await world.call({"GET", place, reader}));
  CHECK(misfit("EventList", all) == "");
  const auto only = json_of(co_await world.call({"GET", place + "?kind=job.taken_back", reader}));
  CHECK(misfit("EventList", only) == "");
  REQUIRE(only.find("items")->as_list().size() == 1);
  const auto& line = only.find("items")->as_list()[0];
  CHECK(line == all.find("items")->as_list().at(1));
  CHECK(line == must(parse_json(told[2].data)));
  CHECK(text_of(line, "agent") == run.agent.value);
  CHECK(text_of(line, "status") == "queued");
  CHECK(text_of(line, "error_class") == "agent_revoked");
  CHECK(text_of(line, "message") ==
        "taken back from " + run.agent.value + ": the agent was revoked; it waits for the next agent");
  CHECK(all.find("items")->as_list()[0].find("agent")->is_null());
  const auto unknown = co_await world.call({"GET", place + "?kind=job.lost", reader});
  CHECK(unknown.status == 400);
}

ASYNC_TEST_CASE("a watcher resumes after the last event it saw", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  co_await report(world, run, 1, store::JobStarted{});
  co_await report_step(world, run, 2, R"({"rows":3})");
  co_await report(world, run, 4, store::JobFinished{domain::JobState::failed, {"connection", {}, "rows"}});
  auto resumed = co_await watch(world, run, run.tenant.token(Role::viewer), "2");
  const auto events = co_await collect(*resumed, 10);
  CHECK(names_of(events) == "job step.finished#3 job.finished#4 end ");
  auto whole = co_await watch(world, run, run.tenant.token(Role::viewer), "not-a-number");
  const auto all = co_await collect(*whole, 10);
  CHECK(names_of(all) == "job job.started#1 step.started#2 step.finished#3 job.finished#4 end ");
}

ASYNC_TEST_CASE("a long history is told whole, in batches", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  std::vector<store::HistoryEntry> entries;
  for (std::uint64_t seq = 1; seq <= 250; ++seq) {
    auto text = co_await seal(world, jobs::log_identity(run.tenant.org, run.job, 1, seq), "line");
    entries.push_back({seq, world.clock.wall(), store::StepLog{"rows", "info", std::move(text)}});
  }
  must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::move(entries)));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  const auto events = co_await collect(*source, 251);
  REQUIRE(events.size() == 251);
  for (std::size_t i = 1; i < events.size(); ++i) CHECK(events[i].id == std::to_string(i));
}

ASYNC_TEST_CASE("a quiet stream proves that it lives, and ends with its token", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  co_await collect(*source, 1);
  const auto beat = co_await source->next(std::chrono::steady_clock::now() + 20ms);
  REQUIRE(beat);
  CHECK(beat->name.empty());
  world.clock.advance(std::chrono::hours(25));  // the token expires
  const auto bye = co_await source->next(std::chrono::steady_clock::now() + 20ms);
  REQUIRE(bye);
  CHECK(bye->name == "closed");
  const auto over = co_await source->next(std::chrono::steady_clock::now() + 20ms);
  CHECK_FALSE(over);
}

ASYNC_TEST_CASE("a watcher that is too slow is told so", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  co_await collect(*source, 1);
  for (std::uint64_t i = 0; i < 2000; ++i) world.feed.publish(run.tenant.org, run.recipe, {run.job, i});
  std::string last;
  for (int i = 0; i < 2000 && last != "dropped"; ++i) {
    const auto event = co_await source->next(std::chrono::steady_clock::now() + 1s);
    if (!event) break;
    last = event->name;
  }
  CHECK(last == "dropped");
}

ASYNC_TEST_CASE("a busy stream ends with its token too", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  world.clock.freeze();
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  co_await collect(*source, 1);
  co_await report(world, run, 1, store::JobStarted{});
  const auto before = co_await collect(*source, 2);
  CHECK(names_of(before) == "job job.started#1 ");
  world.clock.advance(std::chrono::hours(25));  // the token expires
  co_await report_step(world, run, 2, "{}");
  const auto after = co_await collect(*source, 5);
  CHECK(names_of(after) == "closed ");
}
