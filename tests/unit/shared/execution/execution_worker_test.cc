#include "tests/unit/shared/execution/job_script.h"

namespace sallyport::execution {
using namespace test;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

std::string one(const std::string& more = "", const std::string& head = "") {
  return head + "steps:\n  - {id: a, uses: command.run@1, with: {template: t}" + more + "}\n";
}

void check_untouched(JobScript& job) {
  const Turn turn = job.turn();
  CHECK(turn.actions.empty());
  CHECK(turn.changes.empty());
  CHECK(job.reports.empty());
}

// What can be done before time passes.
void play(JobScript& job) {
  for (Turn turn = job.turn(); !turn.actions.empty(); turn = job.turn()) job.perform(turn);
}

}  // namespace

TEST_CASE("a step that waits for a worker has not begun: nothing is recorded, nothing told", "[execution][worker]") {
  JobScript job(one());
  job.workers(0);
  check_untouched(job);
  check_untouched(job);
  job.workers(1).run();
  CHECK(job.told() == Lines{"started a#1", "succeeded a#1", "job succeeded"});
}

TEST_CASE("a cancel ends the wait for a worker at once", "[execution][worker][cancel]") {
  JobScript job(one());
  job.workers(0);
  check_untouched(job);
  job.execution().cancel("asked");
  job.run();
  CHECK(job.told() == Lines{"cancelled a#1 cancelled", "job cancelled cancelled"});
  CHECK(job.journal().stored().intents.empty());
}

TEST_CASE("the job's limit ends the wait for a worker", "[execution][worker][timeout]") {
  JobScript job(one("", "timeout: 5s\non_failure:\n  - {id: tell, uses: log.write@1, with: {text: late}}\n"));
  job.workers(0).run();
  CHECK(job.slept == 5s);
  CHECK(job.told() == Lines{"cancelled a#1 timeout", "started on_failure.tell#1", "log info late",
                            "succeeded on_failure.tell#1", "job timed_out timeout"});
  CHECK(job.journal().stored().intents.empty());
}

TEST_CASE("a step's own timeout bounds its wait for a worker; its default does not", "[execution][worker][timeout]") {
  SECTION("given") {
    JobScript job(one(", timeout: 2s"));
    job.workers(0).run();
    CHECK(job.slept == 2s);
    CHECK(job.told() == Lines{"failed a#1 timeout", "job failed timeout"});
    CHECK(job.end().message.find("it did not begin") == 0);
    CHECK(job.journal().stored().intents.empty());
  }
  SECTION("and retried") {
    JobScript job(one(", timeout: 2s, retry: {max: 1, initial: 10s, on: [timeout]}"));
    job.workers(0);
    while (job.told().empty()) {
      job.turn();
      job.advance(1s);
    }
    job.workers(1).run();
    CHECK(job.told() == Lines{"failed a#1 timeout retry", "started a#2", "succeeded a#2", "job succeeded"});
  }
  SECTION("it begins anew after a lease was lost") {
    JobScript job(one(", timeout: 2s"));
    job.workers(0);
    check_untouched(job);
    job.advance(1500ms);
    job.execution().set_standing(Standing::must_wait);
    check_untouched(job);
    job.execution().set_standing(Standing::may_act);
    check_untouched(job);
    job.advance(1500ms);
    check_untouched(job);
    job.workers(1).run();
    CHECK(job.finished == JobStatus::succeeded);
  }
  SECTION("not given") {
    JobScript job(one());
    job.workers(0).run();
    CHECK(job.slept == recipe::kDefaultJobTimeout);
    CHECK(job.end().status == "timed_out");
  }
}

TEST_CASE("what was begun before a crash and waits for a worker stays in doubt", "[execution][worker][doubt]") {
  JobScript job(one(", timeout: 2s, on_in_doubt: retry"));
  REQUIRE(job.turn().actions.size() == 1);
  job.restart();
  job.workers(0);
  job.turn();
  job.advance(10s);
  CHECK(job.turn().changes.empty());  // no definite end may be told of it
  SECTION("until it runs") {
    job.workers(1).run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.steps[0].repeated);
  }
  SECTION("or the job is cancelled") {
    job.execution().cancel("asked");
    job.run();
    CHECK(job.told() == Lines{"started a#1", "in_doubt a#1 in_doubt", "job cancelled cancelled"});
  }
}

TEST_CASE("waits and log lines need no worker", "[execution][worker]") {
  JobScript job(R"(
steps:
  - {id: w, uses: wait.for@1, with: {duration: 3s}}
  - {id: l, uses: log.write@1, with: {text: hello}}
)");
  job.workers(0).run();
  CHECK(job.finished == JobStatus::succeeded);
}

TEST_CASE("but reading the rows for them does", "[execution][worker][foreach]") {
  JobScript job(
      "steps:\n  - {id: rows, uses: csv.read@1, with: {source: \"${{ trigger.inputs.file }}\"}}\n"
      "  - {id: a, uses: log.write@1, foreach: steps.rows.output.rows, with: {text: \"${{ string(item) }}\"}}\n",
      R"({"kind":"manual","inputs":{"file":{"$handle":"file","path":"x"}}})");
  job.on("csv.read@1", [](const RunStep&) {
    const Value handle(Handle{"rows", {{"format", "csv"}}});
    return gives(Value(ValueMap{{"rows", handle}, {"batches", handle}}));
  });
  job.rows({Value(1), Value(2)}).workers(2);
  play(job);  // the step, and the first row
  CHECK(job.told().back() == "succeeded a[0]#1");
  CHECK(job.turn().actions.empty());
  job.workers(2).run();
  CHECK(job.finished == JobStatus::succeeded);
}

TEST_CASE("a foreach begins with its first item", "[execution][worker][foreach]") {
  const std::string text = R"(
steps:
  - {id: r, uses: csv.read@1, with: {source: "${{ trigger.file }}"}}
  - id: a
    uses: command.run@1
    foreach: ITEMS
    with: {template: t}
)";
  const auto with_items = [&](const std::string& items) {
    std::string whole = text;
    return whole.replace(whole.find("ITEMS"), 5, items);
  };
  const char* trigger = R"({"kind":"file.watch","file":{"$handle":"file","path":"x"}})";
  const auto rows = [](const RunStep&) { return gives(Value(ValueMap{{"rows", Handle{"rows", {}}}})); };
  SECTION("of a list") {
    JobScript job(with_items("{over: \"${{ [1, 2] }}\", concurrency: 2}"), trigger);
    job.on("csv.read@1", rows).workers(1);
    play(job);
    CHECK(job.told() == Lines{"started r#1", "succeeded r#1"});
    job.workers(1);
    const Turn turn = job.turn();
    CHECK(turn.actions.size() == 1);
    CHECK(job.told().size() == 4);
    CHECK(job.told()[2] == "started a#1");
    CHECK(job.told()[3] == "started a[0]#1");
    job.perform(turn);
    job.workers(10).run();
    CHECK(job.finished == JobStatus::succeeded);
  }
  SECTION("of rows, with the reading of the first") {
    JobScript job(with_items("{over: \"${{ steps.r.output.rows }}\"}"), trigger);
    job.on("csv.read@1", rows).rows({Value(1)}).workers(1);
    play(job);
    CHECK(job.told() == Lines{"started r#1", "succeeded r#1"});
    job.execution().cancel("asked");
    job.run();
    CHECK(job.told() == Lines{"started r#1", "succeeded r#1", "cancelled a#1 cancelled", "job cancelled cancelled"});
  }
  SECTION("an empty one begins and ends") {
    JobScript job(with_items("{over: \"${{ [] }}\"}"), trigger);
    job.on("csv.read@1", rows).workers(1).run();
    CHECK(job.told() == Lines{"started r#1", "succeeded r#1", "started a#1", "succeeded a#1", "job succeeded"});
  }
  SECTION("items that wait when another fails do not begin") {
    JobScript job(with_items("{over: \"${{ [1, 2] }}\", concurrency: 2}"), trigger);
    job.on("csv.read@1", rows).on("command.run@1", [](const RunStep&) { return fails("command"); });
    job.workers(1);
    play(job);
    job.workers(1);
    play(job);
    CHECK(job.told() == Lines{"started r#1", "succeeded r#1", "started a#1", "started a[0]#1", "failed a[0]#1 command",
                              "cancelled a[1]#1 cancelled", "failed a#1 command", "job failed command"});
  }
}

}  // namespace sallyport::execution
