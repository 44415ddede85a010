#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

#include <fmt/format.h>

#include <atomic>

namespace sallyport::runner {
using namespace test;
using Lines = std::vector<std::string>;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("a dispatch is answered, run and reported in order", "[engine]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kTwo)));
  co_await until(finished(bench), "the job ends");
  const auto lines = bench.uplink->lines();
  CHECK(lines[0] == "holding r0");
  CHECK(lines[1] == "ready 16");
  CHECK(bench.uplink->has("answer " + kJob1 + "#1 yes"));
  const std::string job = kJob1 + "#1/";
  CHECK(bench.uplink->lines_with("report") ==
        Lines{"report 1 " + job + "1 job_started manual", "report 2 " + job + "2 step_started a",
              "report 3 " + job + "3 succeeded a", "report 4 " + job + "4 step_started b",
              "report 5 " + job + "5 succeeded b", "report 6 " + job + "6 job_finished succeeded"});
  co_await bench.say(acked(6));
  CHECK(bench.journal->outbox_size().rows == 0);
  co_await bench.close();
}

ASYNC_TEST_CASE("with nothing held, the agent says so every five minutes", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  const auto holdings = [&] { return bench.uplink->lines_with("holding").size(); };
  const auto look_at_the_clock = [&] { return bench.say(acked(0)); };
  CHECK(holdings() == 1);
  bench.clock.move(4min);
  co_await look_at_the_clock();
  co_await pause(20ms);
  CHECK(holdings() == 1);
  bench.clock.move(1min);
  co_await look_at_the_clock();
  co_await until([&] { return holdings() == 2; }, "it says so again");
  co_await bench.close();
}

ASYNC_TEST_CASE("a dispatch that makes no sense is refused with the reason", "[engine][bad-input]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(R"({"recipe":"x"})"));
  co_await until([&] { return bench.uplink->has("answer " + kJob1 + "#1 no invalid"); }, "it is refused");
  const auto garbage = co_await bench.try_say("\xff\xff\xff");
  REQUIRE_FALSE(garbage);
  CHECK(garbage.error().code == Errc::invalid);
  const auto bad_id = co_await bench.try_say(dispatch(canonical(kOne), {.job = "../../etc"}));
  CHECK_FALSE(bad_id);
  const auto no_epoch = co_await bench.try_say(dispatch(canonical(kOne), {.epoch = 0}));
  CHECK_FALSE(no_epoch);
  co_await bench.close();
}

ASYNC_TEST_CASE("a job goes on after a restart, when its lease was renewed", "[engine][restart]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.move.hold();
  co_await bench.say(dispatch(canonical(kTwo)));
  co_await until([&] { return bench.move.begun() == 1; }, "the second step runs");
  co_await bench.close();
  bench.move.release();
  co_await bench.open();
  co_await bench.link_up();
  CHECK(bench.uplink->lines()[0] == "holding r0 " + kJob1 + "#1");
  co_await pause(30ms);
  CHECK(bench.move.begun() == 1);  // not without a lease
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.list.begun() == 1);
  CHECK(bench.move.begun() == 2);
  CHECK(bench.move.keys()[0] == bench.move.keys()[1]);
  co_await bench.close();
}

ASYNC_TEST_CASE("the agent asks for its leases every third of their length", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  co_await bench.say(dispatch(canonical(kOne), {.lease_ms = 1'500}));
  co_await until([&] { return bench.uplink->lines_with("holding r0 " + kJob1).size() >= 2; }, "it asked twice");
  co_await bench.close();
}

ASYNC_TEST_CASE("a job cancelled by the relay ends, and says so", "[engine][cancel]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  co_await bench.say(dispatch(canonical(kTwo), {.epoch = 2}));
  co_await until([&] { return bench.list.begun() == 1; }, "the step runs");
  co_await bench.say(cancel(kJob1, 1));
  co_await pause(10ms);
  CHECK(bench.engine->status().running_steps == 1);
  co_await bench.say(cancel(kJob1, 2));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.uplink->has("job_finished cancelled"));
  CHECK(bench.move.begun() == 0);
  co_await bench.say(cancel(kJob2, 1));  // unknown: nothing happens
  co_await bench.close();
}

ASYNC_TEST_CASE("unconfirmed reports are sent again on the next link, confirmed ones are not", "[engine][outbox]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until(finished(bench), "the job ends");
  co_await bench.say(acked(2));
  const bool restart = GENERATE(false, true);
  if (restart) {
    co_await bench.close();
    co_await bench.open();
  }
  co_await bench.link_up();
  co_await until(finished(bench), "it is told again");
  CHECK(bench.uplink->lines()[0] == "holding r0 " + kJob1 + "#1");  // ended, but the relay does not know
  CHECK(bench.uplink->lines_with("report").front().starts_with("report 3 "));
  CHECK(bench.uplink->lines_with("report").size() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("a confirmation of what was never sent breaks the protocol", "[engine][bad-input]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until(finished(bench), "the job ends");
  const auto beyond = co_await bench.try_say(acked(bench.uplink->last_seq() + 1));
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().code == Errc::invalid);
  CHECK(bench.journal->outbox_size().rows == 4);
  co_await bench.close();
}

ASYNC_TEST_CASE("with a full outbox nothing new is taken, and nothing is lost", "[engine][outbox][bounds]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.max_outbox_rows = 3;
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kTwo)));
  co_await until([&] { return bench.uplink->has("ready 0"); }, "no credit is given");
  CHECK(bench.move.begun() == 0);
  co_await bench.say(dispatch(canonical(kTwo), {.job = kJob2}));
  co_await until([&] { return bench.uplink->has("answer " + kJob2 + "#1 no busy"); }, "more is refused");
  co_await bench.say(acked(bench.uplink->last_seq()));
  co_await until([&] { return bench.move.begun() == 1; }, "the job goes on");
  co_await until([&] { return bench.journal->outbox_full() || bench.uplink->has("job_finished"); }, "it reports");
  co_await bench.say(acked(bench.uplink->last_seq()));
  co_await until(finished(bench), "the job ends");
  co_await bench.close();
}

ASYNC_TEST_CASE("only as many jobs as there are slots are asked for", "[engine][bounds]") {
  EngineBench bench(co_await asio::this_coro::executor, {.slots = 1});
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  CHECK(bench.uplink->has("ready 1"));
  for (int i = 1; i <= 4; ++i) {
    co_await bench.say(dispatch(canonical(kOne), {.job = kJob1.substr(0, kJob1.size() - 1) + std::to_string(i)}));
    co_await until([&] { return bench.uplink->lines_with("answer").size() == static_cast<std::size_t>(i); },
                   "it is answered");
  }
  CHECK(bench.uplink->lines_with("no busy").size() >= 1);
  bench.list.release();
  co_await until(
      [&] { return bench.uplink->lines().back() == "ready 1" || bench.uplink->lines_with("ready 1").size() == 2; },
      "there is room");
  co_await bench.close();
}

ASYNC_TEST_CASE("while too many jobs are unreported, no more are asked for", "[engine][bounds]") {
  EngineBench bench(co_await asio::this_coro::executor, {.max_held = 3});
  co_await bench.open();
  co_await bench.link_up();
  for (char last : {'1', '2', '3'}) {
    co_await bench.say(dispatch(canonical(kOne), {.job = kJob1.substr(0, kJob1.size() - 1) + last}));
  }
  co_await until([&] { return bench.uplink->lines_with("job_finished").size() == 3; }, "all have run");
  co_await until([&] { return bench.uplink->has("ready 0"); }, "there is no credit");
  CHECK(bench.uplink->lines_with("ready").back() == "ready 0");
  co_await bench.say(acked(bench.uplink->last_seq()));
  bench.clock.move(21s);  // so that the next Holding is due, which finds none of them
  co_await bench.say(acked(0));
  co_await until([&] { return bench.uplink->lines_with("ready").back() == "ready 16"; }, "there is credit again");
  co_await bench.close();
}

ASYNC_TEST_CASE("a drain lets what runs end, takes nothing new, and leaves the rest for later", "[engine][drain]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kTwo));
  TaskGroup draining(co_await asio::this_coro::executor, [](const std::string&, const std::string&) {});
  draining.spawn("drain", bench.engine->drain(bench.clock.steady() + 10s));
  co_await until([&] { return bench.uplink->has("ready 0"); }, "no credit is given");
  co_await bench.say(dispatch(canonical(kTwo), {.job = kJob2}));
  co_await until([&] { return bench.uplink->has("answer " + kJob2 + "#1 no busy"); }, "more is refused");
  bench.list.release();
  co_await draining.join();
  co_await until([&] { return bench.uplink->has("succeeded a"); }, "the step's end is told");
  CHECK(bench.move.begun() == 0);
  co_await bench.close();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.list.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("a drain that takes too long interrupts", "[engine][drain]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.command.hold();
  co_await bench.say(dispatch(canonical("steps:\n  - {id: a, uses: command.run@1, with: {template: t}}\n")));
  co_await until([&] { return bench.command.begun() == 1; }, "the step runs");
  co_await bench.engine->drain(bench.clock.steady() + 20ms);
  CHECK(bench.engine->status().running_steps == 0);
  bench.command.release();
  co_await bench.close();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.uplink->has("job_finished in_doubt"));  // nobody knows what the command did: never repeated in silence
  CHECK(bench.command.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("the engine proves that it takes messages", "[engine]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  const auto alive = co_await bench.engine->prove_alive();
  CHECK(alive);
  co_await bench.close();
}

ASYNC_TEST_CASE("an action that throws fails its step and nothing else", "[engine]") {
  EngineBench bench(co_await asio::this_coro::executor);
  FakeAction broken("file.delete@1", [](const auto&, const auto&) -> connectors::StepResult<connectors::Output> {
    throw std::runtime_error("canary");
  });
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical("steps:\n  - {id: a, uses: file.delete@1, connection: c, with: {path: x}}\n")));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.uplink->has("job_finished failed"));  // unknown to this agent
  co_await bench.close();
}

ASYNC_TEST_CASE("concurrency of a recipe", "[engine][concurrency]") {
  const bool skip = GENERATE(false, true);
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  const std::string recipe =
      canonical(kOne, std::string("trigger: {uses: manual@1}\nconcurrency: {limit: 1, key: \"${{ recipe.name }}\"") +
                          (skip ? ", on_conflict: skip" : "") + "}\n");
  co_await bench.say(dispatch(recipe));
  co_await until([&] { return bench.list.begun() == 1; }, "the first runs");
  co_await bench.say(dispatch(recipe, {.job = kJob2}));
  if (skip) {
    co_await until([&] { return bench.uplink->has("job_finished cancelled"); }, "the second is skipped");
  } else {
    co_await pause(20ms);
    CHECK(bench.list.begun() == 1);
  }
  bench.list.release();
  co_await until([&] { return bench.uplink->lines_with("job_finished").size() == 2; }, "both end");
  CHECK(bench.list.begun() == (skip ? 1 : 2));
  co_await bench.close();
}

ASYNC_TEST_CASE("many jobs at once", "[engine]") {
  EngineBench bench(co_await asio::this_coro::executor, {.slots = 64, .workers = 4});
  co_await bench.open();
  co_await bench.link_up();
  for (int i = 0; i < 60; ++i) {
    co_await bench.say(dispatch(canonical(kTwo), {.job = fmt::format("job_01J9Z3AAAAAAAAAAAAAAAAAA{:02}", i)}));
  }
  co_await until([&] { return bench.uplink->lines_with("job_finished succeeded").size() == 60; }, "all end");
  CHECK(bench.uplink->lines_with("report").size() == 360);
  co_await bench.close();
}

ASYNC_TEST_CASE("a step that waits for a worker obeys cancel, timeout and lease, and is not shown as started",
                "[engine][worker]") {
  EngineBench bench(co_await asio::this_coro::executor, {.workers = 1});
  co_await bench.open();
  co_await bench.link_up();
  const auto job = [](char last) { return kJob1.substr(0, kJob1.size() - 1) + last; };
  const std::string moves = "steps:\n  - {id: m, uses: file.move@1, connection: c, with: {from: x, to: y}}\n";
  const auto recipe = canonical(moves, "trigger: {uses: manual@1}\ntimeout: 5s\n");
  bench.list.hold();
  co_await bench.say(dispatch(canonical(kOne), {.job = job('1'), .lease_ms = 3'600'000}));
  co_await until([&] { return bench.list.begun() == 1; }, "the only worker is busy");
  for (char last : {'2', '3', '4', '5'}) {
    co_await bench.say(dispatch(recipe, {.job = job(last), .lease_ms = 3'600'000}));
    co_await until([&] { return bench.uplink->has("answer " + job(last) + "#1 yes"); }, "it waits");
  }
  co_await bench.say(cancel(job('2'), 1));
  co_await until([&] { return bench.uplink->has(job('2') + "#1/3 job_finished cancelled"); }, "a cancel ends it");
  co_await bench.say(leases(job('3'), 0, 1));
  co_await until([&] { return bench.engine->status().relay_jobs == 3; }, "a fenced one is gone, slots and all");
  bench.clock.move(6s);
  co_await bench.say(leases(job('4'), 1, 0, 3'600'000));  // wakes it
  co_await until([&] { return bench.uplink->has(job('4') + "#1/3 job_finished timed_out"); }, "its limit ends it");
  CHECK(bench.engine->status().running_steps == 1);
  bench.list.release();
  co_await bench.say(leases(job('5'), 1, 0, 3'600'000));
  co_await until([&] { return bench.engine->status().relay_jobs == 0; }, "all have ended");
  CHECK(bench.uplink->lines_with("step_started m").empty());
  CHECK(bench.move.begun() == 0);
  co_await bench.say(dispatch(recipe, {.job = job('6')}));
  co_await until([&] { return bench.uplink->has("job_finished succeeded") && bench.move.begun() == 1; }, "it is free");
  co_await bench.close();
}

ASYNC_TEST_CASE("jobs take turns at the workers, and a drain does not wait for those that wait", "[engine][worker]") {
  EngineBench bench(co_await asio::this_coro::executor, {.workers = 2});
  co_await bench.open();
  co_await bench.link_up();
  const std::string many =
      "steps:\n  - {id: l, uses: file.list@1, connection: c, foreach: {over: \"${{ [1, 2, 3, 4, 5, 6] }}\", "
      "concurrency: "
      "6}, with: {path: x}}\n";
  bench.list.hold();
  co_await bench.say(dispatch(canonical(many), {.job = kJob1}));
  co_await until([&] { return bench.list.begun() == 2; }, "it has all workers");
  co_await bench.say(dispatch(canonical(kOne), {.job = kJob2}));
  co_await until([&] { return bench.uplink->has("answer " + kJob2 + "#1 yes"); }, "another waits");
  co_await pause(20ms);
  CHECK(bench.list.begun() == 2);
  CHECK(bench.uplink->lines_with("step_started l[").size() == 2);
  co_await bench.close();
  bench.list.release();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await bench.say(leases(kJob2, 1, 0));
  co_await until([&] { return bench.uplink->lines_with("job_finished succeeded").size() == 2; }, "both end");
  co_await bench.close();
}

ASYNC_TEST_CASE("waiting for another job's end does not use up a job's time", "[engine][concurrency]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  const auto recipe = canonical(kOne, "trigger: {uses: manual@1}\nconcurrency: {limit: 1}\ntimeout: 10s\n");
  bench.list.hold();
  co_await bench.say(dispatch(recipe, {.job = kJob1, .lease_ms = 3'600'000}));
  co_await until([&] { return bench.list.begun() == 1; }, "the first runs");
  co_await bench.say(dispatch(recipe, {.job = kJob2, .lease_ms = 3'600'000}));
  co_await until([&] { return bench.uplink->has("answer " + kJob2 + "#1 yes"); }, "the second waits");
  bench.clock.move(60s);
  bench.list.release();
  co_await bench.say(leases(kJob1, 1, 0, 3'600'000));  // wakes it
  co_await until([&] { return bench.uplink->lines_with("job_finished").size() == 2; }, "both end");
  CHECK(bench.uplink->has(kJob2 + "#1/4 job_finished succeeded"));
  co_await bench.close();
}

ASYNC_TEST_CASE("bodies that nothing can name any more make room before the job ends", "[engine][bodies]") {
  EngineBench bench(co_await asio::this_coro::executor);
  std::atomic<std::uint64_t> most{0};
  bench.list.does(
      [&](const connectors::StepContext& context, const Value&) -> connectors::StepResult<connectors::Output> {
        most = std::max<std::uint64_t>(most, bench.spool->used());
        SP_TRY(const auto body, context.bodies.new_spool("text/plain"));
        SP_CHECK(body->write(as_bytes(std::string_view("some text"))));
        SP_TRY(auto handle, body->commit({}));
        return connectors::Output{Value(ValueMap{{"body", std::move(handle)}})};
      });
  co_await bench.open();
  co_await bench.link_up();
  const std::string loop =
      "steps:\n  - {id: a, uses: file.list@1, connection: c, foreach: \"[1, 2, 3, 4, 5]\", with: {path: x}}\n";
  co_await bench.say(dispatch(canonical(loop), {.job = kJob1}));
  co_await until(finished(bench), "the job ends");
  CHECK(most == 0);
  co_await bench.say(dispatch(canonical(loop + "  - {id: b, uses: file.move@1, connection: c, if: "
                                               "\"steps.a.output.results.size() == 5\", with: {from: x, to: y}}\n"),
                              {.job = kJob2}));
  co_await until([&] { return bench.uplink->has(kJob2) && bench.move.begun() == 1; }, "the other one ends");
  CHECK(most > 0);  // those may be named until its end
  co_await until([&] { return bench.engine->status().relay_jobs == 0; }, "it is tidied up");
  CHECK(bench.spool->used() == 0);
  co_await bench.close();
}

ASYNC_TEST_CASE("a dispatch that names too many completed steps is refused, and the link goes on", "[engine][bounds]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  DispatchOptions options;
  for (int i = 0; i <= 10'000; ++i) options.done.emplace_back("a[" + std::to_string(i) + "]", "1");
  co_await bench.say(dispatch(canonical(kOne), options));
  co_await until([&] { return bench.uplink->has("answer " + kJob1 + "#1 no invalid"); }, "it is refused");
  co_await bench.close();
}

}  // namespace sallyport::runner
