#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;

namespace {

const std::string kTwoSteps =
    "steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n"
    "  - {id: b, uses: command.run@1, with: {template: t}}\n";

std::string watching() {
  return canonical(kTwoSteps, "trigger: {uses: file.watch@1, connection: share, with: {path: in}}\n");
}

bool has_line(const EngineBench& bench, const std::string& part) {
  return std::ranges::any_of(bench.logged(), [&](const auto& line) { return line.find(part) != std::string::npos; });
}

bool kept_as_suspended(EngineBench& bench) {
  return journal::test::must_open(journal::test::options_in(bench.dir))->assignments().value().suspended;
}

}  // namespace

ASYNC_TEST_CASE("a disowned agent watches nothing and starts no job until a link is accepted", "[engine][standing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(7, {watching()}));
  co_await until([&] { return bench.trigger.watching == 1; }, "it is watched");
  bench.engine->suspend("revoked");
  CHECK(bench.engine->status().suspended);
  bench.trigger.happen("one.csv", "1");
  co_await until([&] { return bench.trigger.watching == 0; }, "it is not watched any more");
  co_await pause(20ms);
  CHECK(bench.list.begun() == 0);
  CHECK(bench.engine->status().local_jobs == 0);
  CHECK(has_line(bench, "engine.suspended"));

  bench.engine->resume();
  co_await until([&] { return bench.command.begun() == 1; }, "what happened meanwhile is done afterwards");
  co_await bench.close();
  CHECK_FALSE(kept_as_suspended(bench));
}

ASYNC_TEST_CASE("a disowned agent stands still after a restart too", "[engine][standing][restart]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.say(assignments(7, {watching()}));
  bench.engine->suspend("quarantined");
  bench.engine->suspend("quarantined");
  co_await until([&] { return bench.trigger.watching == 0; }, "it is not watched");
  co_await bench.close();
  CHECK(kept_as_suspended(bench));

  co_await bench.open();
  bench.trigger.happen("one.csv", "1");
  co_await pause(20ms);
  CHECK(bench.engine->status().suspended);
  CHECK(bench.engine->status().watched_recipes == 0);
  CHECK(bench.list.begun() == 0);
  co_await bench.link_up();
  CHECK(bench.uplink->lines()[0] == "holding r7");
  co_await until([&] { return bench.uplink->has("event agent.suspended"); }, "the relay hears of it afterwards");
  CHECK(bench.uplink->lines_with("agent.suspended").size() == 1);
  bench.engine->resume();
  co_await until([&] { return bench.command.begun() == 1; }, "the trigger is back");
  co_await bench.close();

  co_await bench.open();
  co_await until([&] { return bench.trigger.watching == 1; }, "and stays");
  co_await bench.close();
}

ASYNC_TEST_CASE("a disowned agent ends the step that runs, and starts no other", "[engine][standing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  bench.list.hold();
  co_await bench.say(assignments(1, {watching()}));
  bench.trigger.happen("one.csv", "1");
  co_await until([&] { return bench.list.begun() == 1; }, "the first step runs");
  bench.engine->suspend("revoked");
  bench.list.release();
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "it ends");
  co_await pause(20ms);
  CHECK(bench.command.begun() == 0);
  CHECK(bench.engine->status().local_jobs == 1);
  co_await bench.close();

  co_await bench.open();
  co_await pause(20ms);
  CHECK(bench.command.begun() == 0);
  bench.engine->resume();
  co_await until([&] { return bench.command.begun() == 1; }, "the second step runs");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  CHECK(bench.list.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("a job of the relay stands still as well, whatever its lease says", "[engine][standing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kTwoSteps));
  bench.engine->suspend("revoked");
  bench.list.release();
  co_await until([&] { return bench.uplink->has("succeeded a"); }, "it ends");
  co_await pause(20ms);
  CHECK(bench.command.begun() == 0);
  bench.engine->resume();
  co_await until([&] { return bench.uplink->has("job_finished succeeded"); }, "the job ends");
  co_await bench.close();
}

ASYNC_TEST_CASE("assignments that come while the agent stands still are kept for later", "[engine][standing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  bench.engine->suspend("revoked");
  co_await bench.say(assignments(3, {watching()}));
  co_await bench.link_up();
  co_await bench.say(assignments(4, {watching()}));
  co_await until([&] { return bench.uplink->has("holding r4"); }, "they are taken");
  CHECK(bench.trigger.watching == 0);
  bench.engine->resume();
  co_await until([&] { return bench.trigger.watching == 1; }, "they are watched");
  bench.engine->resume();
  bench.engine->suspend("revoked");
  bench.engine->resume();
  bench.engine->suspend("revoked");
  co_await until([&] { return bench.trigger.watching == 0; }, "the last word counts");
  co_await bench.close();
  CHECK(kept_as_suspended(bench));
}

ASYNC_TEST_CASE("an agent that is disowned while it stops still knows it afterwards", "[engine][standing][drain]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  bench.engine->suspend("revoked");
  co_await bench.close();
  CHECK(kept_as_suspended(bench));
}

}  // namespace sallyport::runner
