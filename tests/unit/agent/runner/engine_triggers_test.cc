#include "agent/runner/local_triggers.h"
#include "shared/base/text.h"
#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;

namespace {

std::string watching(const std::string& dedupe = "", const std::string& more = "") {
  return canonical("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n",
                   "trigger: {uses: file.watch@1, connection: share, with: {path: in}" + dedupe + "}\n" + more);
}

std::string scheduled(const std::string& cron, const std::string& catch_up) {
  return canonical(
      "steps:\n  - {id: a, uses: log.write@1, with: {text: \"${{ trigger.kind }} ${{ trigger.scheduled_at }}\"}}\n",
      "trigger: {uses: schedule@1, with: {cron: \"" + cron + "\", catch_up: " + catch_up + "}}\n");
}

// As if an earlier process had been assigned the recipe and had last run it for `last`.
void watched_since(const EngineBench& bench, const std::string& recipe, WallTime last, const std::string& rule) {
  const RecipeId id(kRecipe1);
  const auto journal = journal::test::must_open(journal::test::options_in(bench.dir));
  REQUIRE(journal->apply(
      {journal::ReplaceAssignments{1, {{id, 1, recipe}}},
       journal::SetCursor{id, "schedule",
                          R"({"at":)" + std::to_string(unix_ms(last)) + R"(,"rule":")" + rule + "\"}"}}));
}

WallTime at(const char* text) { return *parse_rfc3339(text); }

}  // namespace

ASYNC_TEST_CASE("a local trigger starts jobs while no link is up, and the relay hears of it later",
                "[engine][triggers]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(7, {watching()}));
  co_await until([&] { return bench.trigger.watching == 1; }, "it is watched");
  bench.trigger.happen("one.csv", "1");
  co_await until([&] { return bench.list.begun() == 1; }, "the job runs");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  co_await bench.link_up();
  co_await until([&] { return bench.uplink->has("job_finished succeeded"); }, "the relay hears");
  CHECK(bench.uplink->lines()[0] == "holding r7");
  CHECK(bench.uplink->has("job_started file.watch"));
  CHECK(bench.uplink->has("#0/1 job_started"));
  co_await bench.close();
}

ASYNC_TEST_CASE("the same event twice is one job, also after a restart", "[engine][triggers][dedupe]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(1, {watching()}));
  bench.trigger.happen("one.csv", "1");
  bench.trigger.happen("one.csv", "1");
  co_await until([&] { return bench.trigger.taken == 2; }, "both are taken");
  co_await bench.close();
  co_await bench.open();  // assignments are remembered
  bench.trigger.happen("one.csv", "1");
  bench.trigger.happen("two.csv", "2");
  co_await until([&] { return bench.trigger.taken == 4; }, "two more are taken");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the jobs end");
  CHECK(bench.list.begun() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("where a trigger goes on is kept with its event, and not without it", "[engine][triggers][cursor]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(
      assignments(1, {watching(", dedupe: \"${{ trigger.file.name == 'bad' ? null : trigger.file.name }}\"")}));
  co_await until([&] { return bench.trigger.watching == 1; }, "it is watched");
  CHECK(bench.trigger.cursor == std::nullopt);
  bench.trigger.happen("one.csv", "1", "after one");
  co_await until([&] { return bench.trigger.taken == 1; }, "it is taken");
  bench.trigger.happen("bad", "2", "after bad");  // no key: it has to come again
  co_await until([&] { return bench.uplink->has("event trigger.failed"); }, "it is told");
  CHECK(bench.trigger.taken == 1);
  co_await bench.close();
  co_await bench.open();
  co_await until([&] { return bench.trigger.cursor == "after one"; }, "it goes on where it was");
  co_await bench.say(assignments(2, {}));
  co_await until([&] { return bench.trigger.watching == 0; }, "it is watched no more");
  co_await bench.say(assignments(3, {watching()}));
  co_await until([&] { return bench.trigger.watching == 1; }, "it is watched again");
  CHECK(bench.trigger.cursor == std::nullopt);  // what was given up begins anew
  co_await bench.close();
}

ASYNC_TEST_CASE("an event that comes only once is not taken without a job", "[engine][triggers][dedupe]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.trigger.comes_once = true;
  co_await bench.say(
      assignments(1, {watching(", dedupe: \"${{ trigger.file.name == 'bad' ? null : trigger.file.name }}\"")}));
  co_await until([&] { return bench.trigger.watching == 1; }, "it is watched");
  bench.trigger.happen("good", "1");
  co_await until([&] { return bench.trigger.taken == 1; }, "it is taken");
  bench.trigger.happen("bad", "2");
  co_await until([&] { return bench.uplink->has("event trigger.failed"); }, "it is told");
  CHECK(bench.trigger.taken == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("events that start no job again are told in the log, once in a row", "[engine][triggers][dedupe]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(1, {watching()}));
  const auto happens = [&](const char* name, std::size_t taken) -> asio::awaitable<std::vector<std::string>> {
    bench.trigger.happen(name, name);
    co_await until([&] { return bench.trigger.taken == taken; }, "it is taken");
    std::vector<std::string> known;
    for (const auto& line : bench.logged()) {
      if (line.find("event.known") != std::string::npos && line.find("\"info\"") != std::string::npos)
        known.push_back(line);
    }
    co_return known;
  };
  co_await happens("one.csv", 1);
  auto known = co_await happens("one.csv", 2);
  REQUIRE(known.size() == 1);
  CHECK(known[0].find("it starts no other") != std::string::npos);
  CHECK(known[0].find("one.csv") == std::string::npos);  // a key may hold data
  known = co_await happens("one.csv", 3);
  CHECK(known.size() == 1);
  co_await happens("two.csv", 4);
  known = co_await happens("one.csv", 5);
  CHECK(known.size() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("a declared key decides what the same event is", "[engine][triggers][dedupe]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(1, {watching(", dedupe: \"${{ trigger.file.name }}\"")}));
  bench.trigger.happen("one.csv", "1");
  bench.trigger.happen("one.csv", "another identity");
  bench.trigger.happen("two.csv", "1");
  co_await until([&] { return bench.trigger.taken == 3; }, "all are taken");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the jobs end");
  CHECK(bench.list.begun() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("an event whose key cannot be made starts no job, and that is told once",
                "[engine][triggers][dedupe]") {
  const std::string key = GENERATE(as<std::string>{}, "${{ trigger.inputs.id }}", "${{ trigger.file.size > 5 }}",
                                   "${{ [trigger.file.name, null][1] }}");
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(assignments(1, {watching(", dedupe: \"" + key + "\"")}));
  bench.trigger.happen("one.csv", "1");
  bench.trigger.happen("two.csv", "2");
  co_await until([&] { return bench.trigger.taken == 2; }, "both are passed over");
  co_await until([&] { return bench.uplink->has("event trigger.failed"); }, "it is told");
  CHECK(bench.uplink->lines_with("event trigger.failed").size() == 1);
  const auto logged = bench.logged();
  CHECK(std::ranges::any_of(logged, [](const std::string& line) {
    return line.contains("trigger.failed") && line.contains("an event starts no job, because its `dedupe` fails: ");
  }));
  co_await bench.say(assignments(2, {}));
  co_await until([&] { return bench.trigger.watching == 0; }, "it is watched no more");
  co_await bench.say(assignments(3, {watching()}));  // mended
  bench.trigger.happen("one.csv", "1");
  co_await until([&] { return bench.trigger.taken == 3 && bench.engine->status().local_jobs == 0; }, "it runs");
  CHECK(bench.list.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("a local job goes on after a restart without any lease", "[engine][triggers][restart]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  bench.list.hold();
  co_await bench.say(assignments(1, {watching()}));
  bench.trigger.happen("one.csv", "1");
  co_await until([&] { return bench.list.begun() == 1; }, "the job runs");
  co_await bench.close();
  bench.list.release();
  co_await bench.open();
  co_await until([&] { return bench.list.begun() == 2 && bench.engine->status().local_jobs == 0; }, "the job ends");
  CHECK(bench.list.keys()[0] == bench.list.keys()[1]);
  co_await bench.close();
}

ASYNC_TEST_CASE("more events than may wait are left with the trigger until there is room",
                "[engine][triggers][bounds]") {
  EngineBench bench(co_await asio::this_coro::executor, {.max_local_jobs = 2});
  co_await bench.open();
  bench.list.hold();
  co_await bench.say(assignments(1, {watching()}));
  for (int i = 0; i < 5; ++i) bench.trigger.happen("f", std::to_string(i));
  co_await until([&] { return bench.list.begun() == 2; }, "two run");
  co_await pause(20ms);
  CHECK(bench.trigger.taken == 2);
  bench.list.release();
  co_await until([&] { return bench.trigger.taken == 5 && bench.engine->status().local_jobs == 0; }, "all have run");
  CHECK(bench.list.begun() == 5);
  co_await bench.close();
}

ASYNC_TEST_CASE("jobs of local triggers run on slots of their own, and wait for one in order",
                "[engine][triggers][bounds]") {
  EngineBench bench(co_await asio::this_coro::executor, {.slots = 2});
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  co_await bench.say(assignments(1, {watching()}));
  for (int i = 0; i < 6; ++i) bench.trigger.happen("f", std::to_string(i));
  co_await until([&] { return bench.trigger.taken == 6 && bench.list.begun() == 2; }, "all have a job, and two run");
  co_await pause(20ms);
  CHECK(bench.list.begun() == 2);
  CHECK(bench.uplink->lines_with("step_started").size() == 2);
  CHECK(bench.engine->status().local_jobs == 6);
  const std::string moves = "steps:\n  - {id: m, uses: file.move@1, connection: c, with: {from: x, to: y}}\n";
  co_await bench.say(dispatch(canonical(moves)));
  co_await until([&] { return bench.move.begun() == 1; }, "they keep no job of the relay from its slot");
  co_await bench.close();  // a drain does not wait for those that wait
  co_await bench.open();
  co_await until([&] { return bench.list.begun() == 4; }, "two run again");
  co_await pause(20ms);
  CHECK(bench.list.begun() == 4);
  bench.list.release();
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "all have run");
  CHECK(bench.list.begun() == 8);
  co_await bench.close();
}

ASYNC_TEST_CASE("assignments replace each other; what is not assigned is not watched", "[engine][triggers]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(1, {watching(), watching(", dedupe: \"${{ trigger.file.name }}\"")}));
  co_await until([&] { return bench.trigger.watching == 2; }, "both are watched");
  co_await bench.say(assignments(2, {watching()}));
  co_await until([&] { return bench.trigger.watching == 1; }, "one is watched");
  co_await bench.say(assignments(3, {}));
  co_await until([&] { return bench.trigger.watching == 0 && bench.engine->status().watched_recipes == 0; },
                 "none is watched");
  co_await bench.link_up();
  CHECK(bench.uplink->lines()[0] == "holding r3");
  co_await bench.close();
}

ASYNC_TEST_CASE("an assigned recipe that this agent does not understand is told, and hurts no other",
                "[engine][triggers][bad-input]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(assignments(1, {"{\"recipe\":1}", watching()}));
  co_await until([&] { return bench.trigger.watching == 1; }, "the good one is watched");
  co_await until([&] { return bench.uplink->has("event trigger.failed"); }, "the other is told");
  co_await bench.close();
}

ASYNC_TEST_CASE("what a trigger passes over is an event; what it waits for is in the log only", "[engine][triggers]") {
  using Concern = connectors::TriggerSource::Concern;
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(assignments(1, {watching()}));
  bench.trigger.complain(Concern::waits, "not mounted");
  bench.trigger.complain(Concern::passed_over, "in/bad.csv");
  bench.trigger.complain(Concern::passed_over, "");
  co_await until([&] { return bench.uplink->has("event trigger.failed"); }, "it is told");
  co_await pause(20ms);
  CHECK(bench.uplink->lines_with("event trigger.failed").size() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("a schedule fires when its time has come, once", "[engine][schedule]") {
  EngineBench bench(co_await asio::this_coro::executor);
  watched_since(bench, scheduled("* * * * *", "skip"), at("2026-03-01T09:59:00Z"), "* * * * * UTC");
  bench.clock.set_wall(at("2026-03-01T10:00:00.500Z"));
  co_await bench.open();
  co_await bench.link_up();
  co_await until([&] { return bench.uplink->has("job_finished"); }, "it fires");
  CHECK(bench.uplink->has("log schedule 2026-03-01T10:00:00.000Z"));
  co_await bench.close();
  co_await bench.open();
  co_await bench.link_up();
  co_await until([&] { return bench.uplink->has("job_finished"); }, "it is told again");
  co_await pause(50ms);
  CHECK(bench.uplink->lines_with("job_started").size() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("times missed while the agent was down: skipped, or one job for all of them", "[engine][schedule]") {
  const bool once = GENERATE(false, true);
  EngineBench bench(co_await asio::this_coro::executor);
  watched_since(bench, scheduled("0 * * * *", once ? "once" : "skip"), at("2026-03-01T09:00:00Z"), "0 * * * * UTC");
  bench.clock.set_wall(at("2026-03-01T12:30:00Z"));
  co_await bench.open();
  co_await bench.link_up();
  if (once) {
    co_await until([&] { return bench.uplink->has("job_finished"); }, "it fires");
    CHECK(bench.uplink->has("log schedule 2026-03-01T12:00:00.000Z"));
  }
  co_await until([&] { return bench.uplink->has("event schedule.skipped"); }, "what was missed is told");
  CHECK(bench.uplink->lines_with("job_started").size() == (once ? 1 : 0));
  const auto logged = bench.logged();
  CHECK(std::ranges::any_of(logged, [&](const std::string& line) {
    return line.contains("schedule.skipped") && line.contains("\"recipe\":") &&
           line.contains(once ? "\"count\":2" : "\"count\":3") && line.contains("2026-03-01T10:00:00") &&
           line.contains(once ? "2026-03-01T11:00:00" : "2026-03-01T12:00:00");
  }));
  const auto told = [&] { return bench.uplink->lines_with("event schedule.skipped").size(); };
  co_await bench.say(acked(bench.uplink->last_seq()));
  co_await bench.close();
  co_await bench.open();  // once, also over a restart
  co_await bench.link_up();
  co_await pause(50ms);
  CHECK(told() == 0);
  co_await bench.close();
}

ASYNC_TEST_CASE("times before an assignment were not missed, nor were those of another schedule",
                "[engine][schedule]") {
  const bool changed = GENERATE(false, true);
  EngineBench bench(co_await asio::this_coro::executor);
  const auto recipe = scheduled("0 * * * *", "once");
  watched_since(bench, recipe, at("2026-03-01T09:00:00Z"), changed ? "30 * * * * UTC" : "0 * * * * UTC");
  if (!changed) {  // deactivated for a while
    const auto journal = journal::test::must_open(journal::test::options_in(bench.dir));
    REQUIRE(journal->apply({journal::ReplaceAssignments{2, {}}}));
    REQUIRE(journal->apply({journal::ReplaceAssignments{3, {{RecipeId(kRecipe1), 1, recipe}}}}));
  }
  bench.clock.set_wall(at("2026-03-30T12:30:00Z"));
  co_await bench.open();
  co_await bench.link_up();
  co_await pause(50ms);
  CHECK(bench.uplink->lines_with("job_started").empty());
  co_await bench.close();
}

ASYNC_TEST_CASE("a schedule goes on after the clock was ahead, says so, and runs for no time twice",
                "[engine][schedule]") {
  const bool ran_already = GENERATE(false, true);
  EngineBench bench(co_await asio::this_coro::executor);
  watched_since(bench, scheduled("* * * * *", "skip"), at("2026-12-17T00:00:00Z"), "* * * * * UTC");
  if (ran_already) {
    const auto journal = journal::test::must_open(journal::test::options_in(bench.dir));
    REQUIRE(journal->apply({journal::RecordEvent{RecipeId(kRecipe1), "schedule 2026-11-22T10:01:00.000Z", {}}}));
  }
  bench.clock.set_wall(at("2026-11-22T10:00:59.500Z"));
  co_await bench.open();
  co_await bench.link_up();
  co_await until([&] { return bench.uplink->has("event schedule.clock_went_back"); }, "it is told");
  if (ran_already) {
    co_await pause(1s);
    CHECK_FALSE(bench.uplink->has("job_started"));
  } else {
    co_await until([&] { return bench.uplink->has("log schedule 2026-11-22T10:01:00.000Z"); }, "it fires");
  }
  CHECK(bench.uplink->lines_with("clock_went_back").size() == 1);
  co_await bench.close();
}

TEST_CASE("what a schedule has to do now", "[schedule]") {
  const auto cron = *recipe::Cron::parse("0 * * * *");
  const auto hour = at("2026-03-01T10:00:00Z");
  SECTION("nothing before its time") {
    const auto step = next_schedule_step(cron, CatchUp::skip, hour, hour + 59min);
    CHECK_FALSE(step.fire);
    CHECK(step.next == hour + 1h);
    CHECK(step.last == hour);
  }
  SECTION("its time, exactly and a little late") {
    for (const auto late : {0s, 59s, 75s, 300s}) {
      const auto step = next_schedule_step(cron, CatchUp::skip, hour, hour + 1h + late);
      CHECK(step.fire == hour + 1h);
      CHECK_FALSE(step.skipped);
    }
    const auto missed = next_schedule_step(cron, CatchUp::skip, hour, hour + 1h + 301s);
    CHECK_FALSE(missed.fire);
    CHECK(missed.skipped->count == 1);
    CHECK(missed.skipped->first == hour + 1h);
    CHECK(missed.skipped->last == hour + 1h);
  }
  SECTION("of several times that came together the latest runs, and the others are told") {
    const auto minutes = *recipe::Cron::parse("* * * * *");
    const auto step = next_schedule_step(minutes, CatchUp::skip, hour, hour + 3min + 10s);
    CHECK(step.fire == hour + 3min);
    REQUIRE(step.skipped);
    CHECK(step.skipped->count == 2);
    CHECK(step.skipped->first == hour + 1min);
    CHECK(step.skipped->last == hour + 2min);
    CHECK(next_schedule_step(minutes, CatchUp::skip, step.last, hour + 3min + 10s).next == hour + 4min);
  }
  SECTION("long missed") {
    const auto skipped = next_schedule_step(cron, CatchUp::skip, hour, hour + 5h + 30min);
    CHECK_FALSE(skipped.fire);
    CHECK(skipped.last == hour + 5h + 30min);
    REQUIRE(skipped.skipped);
    CHECK(skipped.skipped->count == 5);
    CHECK(skipped.skipped->first == hour + 1h);
    CHECK(skipped.skipped->last == hour + 5h);
    const auto once = next_schedule_step(cron, CatchUp::once, hour, hour + 5h + 30min);
    CHECK(once.fire == hour + 5h);
    CHECK(once.skipped->count == 4);
    CHECK(once.skipped->last == hour + 4h);
    CHECK(next_schedule_step(cron, CatchUp::once, once.last, hour + 5h + 30min).next == hour + 6h);
  }
  SECTION("a year of minutes, quickly") {
    const auto minutes = *recipe::Cron::parse("* * * * *");
    const auto step = next_schedule_step(minutes, CatchUp::once, hour, hour + 24h * 365 + 30s);
    CHECK(step.fire == hour + 24h * 365);
    CHECK(step.skipped->count == kCountedTimes);
    CHECK(step.skipped->last == hour + 24h * 365 - 1min);
  }
  SECTION("missed once, eleven months ago") {
    const auto yearly = *recipe::Cron::parse("@yearly");
    CHECK(next_schedule_step(yearly, CatchUp::once, at("2025-12-31T00:00:00Z"), at("2026-11-30T00:00:00Z")).fire ==
          at("2026-01-01T00:00:00Z"));
  }
  SECTION("a clock that is put right by a little does nothing twice") {
    for (const auto back : {1s, 60s}) {
      const auto step = next_schedule_step(cron, CatchUp::once, hour, hour - back);
      CHECK_FALSE(step.fire);
      CHECK_FALSE(step.clock_went_back);
      CHECK(step.next == hour + 1h);
    }
  }
  SECTION("a clock that was ahead, by a day or a year, silences nothing") {
    for (const auto ahead : {61s, 86'400s, 31'536'000s}) {
      const auto now = hour + 30min;
      const auto step = next_schedule_step(cron, CatchUp::once, now + ahead, now);
      CHECK_FALSE(step.fire);
      CHECK(step.clock_went_back);
      CHECK(step.last == now);
      CHECK(step.next == hour + 1h);
      CHECK(next_schedule_step(cron, CatchUp::once, step.last, hour + 1h).fire == hour + 1h);
    }
  }
}

}  // namespace sallyport::runner
