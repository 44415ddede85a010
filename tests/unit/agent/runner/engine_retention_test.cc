#include "tests/support/async_test.h"
#include "tests/unit/agent/journal/fixture.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

// What of a job is in the journal and in reports when its recipe keeps nothing, and what secrets do there.
namespace sallyport::runner {
using namespace test;

namespace {

const std::string kNothing = "trigger: {uses: manual@1}\nretention: {payload: none}\n";
const std::string kSteps =
    "steps:\n"
    "  - {id: a, uses: file.list@1, connection: c, with: {path: \"${{ inputs.p }}\"}}\n"
    "  - {id: s, uses: log.write@1, with: {text: \"${{ inputs.p }} ${{ steps.a.output.count }}\"}}\n"
    "  - {id: t, uses: csv.read@1, on_failure: continue, with: {source: \"${{ inputs.b }}\"}}\n";
const std::string kInputs = "inputs: {p: {type: text}, b: {type: any}}\n";
const std::string kMove =
    "  - {id: b, uses: file.move@1, connection: c, with: {from: \"${{ steps.a.output.count }}\", to: y}}\n";
const std::string kCommand =
    "  - {id: b, uses: command.run@1, with: {template: t, stdin: \"${{ steps.a.output.count }}\"}}\n";
const std::string kTrigger = R"({"kind":"manual","inputs":{"p":"canary-in","b":"canary-b"}})";

void gives_canaries(EngineBench& bench) {
  bench.list.does([](const auto&...) -> connectors::StepResult<connectors::Output> {
    return connectors::Output{Value(ValueMap{{"count", "canary-out"}})};
  });
}

// Everything that the agent's files hold of the job, opened with its key.
std::string journaled(const EngineBench& bench) {
  const auto journal = journal::test::must_open(journal::test::options_in(bench.dir));
  std::string all;
  for (const auto& job : journal->unfinished().value()) {
    const auto stored = journal->load(job).value();
    all += stored.job.trigger_json + stored.job.event_key_json;
    for (const auto& done : stored.done) all += done.result_json;
  }
  for (const auto& row : journal->outbox_after(0, 1'000, 1u << 20).value()) all += row.report.value_or("damaged");
  return all;
}

std::string sent(const EngineBench& bench) {
  std::string all;
  for (const auto& message : bench.uplink->sent) all += message;
  return all;
}

}  // namespace

ASYNC_TEST_CASE("a job that keeps nothing works in memory, and its journal and reports are without its data",
                "[engine][retention]") {
  const bool keeps = GENERATE(false, true);  // positive control: what is kept is found
  const auto payload = GENERATE(journal::Payload::of_recipe, journal::Payload::none);
  if (keeps && payload == journal::Payload::none) co_return;
  EngineBench bench(co_await asio::this_coro::executor);
  gives_canaries(bench);
  bench.move.hold();
  co_await bench.open();
  co_await bench.link_up();
  const bool of_recipe = !keeps && payload == journal::Payload::of_recipe;
  const auto head = kInputs + (of_recipe ? kNothing : "trigger: {uses: manual@1}\n");
  co_await bench.say(dispatch(canonical(kSteps + kMove, head), {.trigger_json = kTrigger, .payload = payload}));
  co_await until([&] { return bench.move.begun() == 1; }, "the last step runs");
  bench.move.release();
  co_await until(finished(bench), "the job ends");
  CHECK(bench.uplink->has("job_finished succeeded"));
  CHECK(bench.uplink->has("succeeded a"));
  CHECK(bench.uplink->has("failed t"));
  CHECK((sent(bench).find("canary") != std::string::npos) == keeps);
  co_await bench.close();
  CHECK((journaled(bench).find("canary") != std::string::npos) == keeps);
}

ASYNC_TEST_CASE("a job that keeps nothing ends when its process does, and says what is known",
                "[engine][retention][restart]") {
  const bool doubtful = GENERATE(false, true);
  const auto payload = GENERATE(journal::Payload::of_recipe, journal::Payload::none);
  EngineBench bench(co_await asio::this_coro::executor);
  gives_canaries(bench);
  bench.move.hold();
  bench.command.hold();
  co_await bench.open();
  co_await bench.link_up();
  const auto head = kInputs + (payload == journal::Payload::none ? "trigger: {uses: manual@1}\n" : kNothing);
  co_await bench.say(dispatch(canonical(kSteps + (doubtful ? kCommand : kMove), head),
                              {.trigger_json = kTrigger, .payload = payload}));
  co_await until([&] { return bench.move.begun() + bench.command.begun() == 1; }, "the last step runs");
  co_await bench.close();
  CHECK(journaled(bench).find("canary") == std::string::npos);
  bench.move.release();
  bench.command.release();
  co_await bench.open();
  co_await bench.link_up();
  co_await until(finished(bench), "the job ends");
  CHECK(bench.uplink->has(doubtful ? "job_finished in_doubt" : "job_finished failed"));
  CHECK(sent(bench).find("zero_retention") != std::string::npos);
  CHECK(sent(bench).find("its recipe or its organisation keeps nothing") != std::string::npos);
  CHECK(bench.move.begun() + bench.command.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("what a trigger says of masked data is not told, and the key that it makes as a digest",
                "[engine][mask][triggers]") {
  const bool masked = GENERATE(true, false);
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  const std::string mask = masked ? ", mask: [file.name]" : "";
  co_await bench.say(assignments(
      1, {canonical(kOne, "trigger: {uses: file.watch@1, connection: share, with: {path: in}" + mask + "}\n")}));
  bench.trigger.complain(connectors::TriggerSource::Concern::passed_over, "in/canary-key.csv cannot be read");
  bench.trigger.happen("one.csv", "canary-key");
  bench.trigger.happen("one.csv", "canary-key");  // the same event
  co_await until([&] { return bench.trigger.taken == 2; }, "both are taken");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  co_await bench.link_up();
  co_await until(finished(bench), "the relay hears");
  CHECK(bench.list.begun() == 1);
  CHECK((sent(bench).find("canary-key") == std::string::npos) == masked);
  CHECK((sent(bench).find("sha256:") != std::string::npos) == masked);
  co_await bench.close();
}

ASYNC_TEST_CASE("where an organisation keeps nothing a local trigger's event is in no file and no report, also later",
                "[engine][retention][triggers]") {
  const auto payload = GENERATE(journal::Payload::none, journal::Payload::of_recipe);  // of_recipe: positive control
  const bool keeps = payload == journal::Payload::of_recipe;
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  const auto watching = canonical(kOne, "trigger: {uses: file.watch@1, connection: share, with: {path: in}}\n");
  co_await bench.say(assignments(1, {watching}, payload));
  bench.trigger.happen("one.csv", "canary-one");
  co_await until([&] { return bench.trigger.taken == 1; }, "the first is taken");
  co_await bench.close();
  co_await bench.open();  // what was assigned is known from the journal
  bench.trigger.happen("two.csv", "canary-two");
  co_await until([&] { return bench.trigger.taken == 2; }, "the second is taken");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the jobs end");
  co_await bench.link_up();
  co_await until(finished(bench), "the relay hears");
  CHECK((sent(bench).find("canary-") != std::string::npos) == keeps);
  co_await bench.close();
  CHECK((journaled(bench).find("canary-") != std::string::npos) == keeps);
}

ASYNC_TEST_CASE("a secret that an action repeats is taken out of errors and reports", "[engine][secret][redactor]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.secret = [](const recipe::SecretUse&) -> connectors::StepResult<Secret> {
    return Secret::take(std::string("s3cr3t-token"));
  };
  // Of a step that took no secret itself, so that no label hides what it says.
  bench.list.does([](const auto&...) -> connectors::StepResult<connectors::Output> {
    return connectors::Output{Value(ValueMap{{"x", "it is czNjcjN0LXRva2Vu"}, {"y", "nothing"}})};
  });
  bench.move.does([](const auto&...) -> connectors::StepResult<connectors::Output> {
    return connectors::step_fail("not_found", "no file s3cr3t-token");
  });
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(
      dispatch(canonical("steps:\n"
                         "  - {id: k, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.token }}\"}}\n" +
                         kTwo.substr(kTwo.find("  - {id: a")))));
  co_await until(finished(bench), "the job ends");
  CHECK(sent(bench).find("s3cr3t-token") == std::string::npos);
  CHECK(sent(bench).find("czNjcjN0") == std::string::npos);
  CHECK(sent(bench).find("no file ***") != std::string::npos);
  CHECK(sent(bench).find("nothing") != std::string::npos);
  co_await bench.close();
  CHECK(journaled(bench).find("s3cr3t-token") == std::string::npos);
}

}  // namespace sallyport::runner
