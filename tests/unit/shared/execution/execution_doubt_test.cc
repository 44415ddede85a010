#include "shared/execution/outcome.h"
#include "tests/unit/shared/execution/job_script.h"

namespace sallyport::execution {
using namespace test;
using Lines = std::vector<std::string>;

namespace {

std::string command(const std::string& more = "") {
  return "steps:\n  - {id: a, uses: command.run@1, with: {template: t}" + more +
         "}\n  - {id: b, uses: file.list@1, connection: c, with: {path: x}}\n";
}

const std::string kSql =
    "steps:\n  - {id: a, uses: sql.execute@1, connection: db, with: {statement: \"delete from t\"}}\n";

// The intent is in the journal, the effect nobody knows about, the process is new.
void crash_in_the_middle(JobScript& job) {
  REQUIRE(job.turn().actions.size() == 1);
  job.restart();
}

}  // namespace

TEST_CASE("a step that may be repeated runs again with the same key", "[doubt]") {
  JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n");
  const auto first = job.turn();
  job.restart();
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  REQUIRE(job.ran == Lines{"a#1"});
  CHECK(job.steps[0].repeated);
  CHECK(job.steps[0].idempotency_key == std::get<RunStep>(first.actions[0]).idempotency_key);
  CHECK(job.told() == Lines{"started a#1", "log warn run again after an interruption, with the same idempotency key",
                            "succeeded a#1", "job succeeded"});
}

TEST_CASE("a step with a ledger runs again, one without is in doubt", "[doubt][ledger]") {
  JobScript job(kSql);
  SECTION("with") {
    job.keeps_ledger();
    crash_in_the_middle(job);
    job.run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.ran == Lines{"a#1"});
  }
  SECTION("without") {
    crash_in_the_middle(job);
    job.run();
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.ran.empty());
  }
}

TEST_CASE("a ledger counts only when it was kept from the beginning", "[doubt][ledger]") {
  JobScript job(kSql);
  SECTION("turned on while the step was in doubt") {
    crash_in_the_middle(job);
    job.keeps_ledger().run();
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.ran.empty());
  }
  SECTION("turned off") {
    job.keeps_ledger();
    crash_in_the_middle(job);
    job.keeps_ledger(false).run();
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.ran.empty());
  }
  SECTION("turned on while the run was interrupted, and the agent went on") {
    const auto first = job.turn();
    job.keeps_ledger();
    job.execution().set_standing(Standing::must_wait);
    job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, fails("cancelled"));
    (void)job.turn();
    job.execution().set_standing(Standing::may_act);
    job.run();
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.ran.empty());
  }
}

TEST_CASE("in doubt, the recipe decides", "[doubt]") {
  struct Case {
    const char* choice;
    JobStatus finished;
    Lines ran;
    const char* step;
  };
  const auto [choice, finished, ran, step] = GENERATE(values<Case>({
      {"", JobStatus::in_doubt, {}, "in_doubt a#1 in_doubt"},
      {", on_in_doubt: ask", JobStatus::in_doubt, {}, "in_doubt a#1 in_doubt"},
      {", on_in_doubt: stop", JobStatus::failed, {}, "in_doubt a#1 in_doubt"},
      {", on_in_doubt: skip", JobStatus::succeeded, {"b#1"}, "skipped a#1"},
      {", on_in_doubt: retry", JobStatus::succeeded, {"a#1", "b#1"}, "succeeded a#1"},
  }));
  INFO(choice);
  JobScript job(command(choice));
  crash_in_the_middle(job);
  job.run();
  CHECK(job.finished == finished);
  CHECK(job.ran == ran);
  CHECK(std::ranges::count(job.told(), step) == 1);
  CHECK(std::ranges::count(job.told(),
                           "log warn in doubt, and run again as the recipe says: its effect may happen twice") ==
        std::ranges::count(ran, "a#1"));
  if (finished == JobStatus::in_doubt) CHECK(job.end().failed_step == "a");
}

TEST_CASE("a step that an agent that was lost may have begun is in doubt, though nothing is known of it", "[doubt]") {
  SECTION("not when it may be repeated") {
    JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n");
    job.held_before().run();
    CHECK(job.finished == JobStatus::succeeded);
    REQUIRE(job.ran == Lines{"a#1"});
    CHECK(job.steps[0].repeated);
  }
  SECTION("not when its target keeps a ledger") {
    JobScript job(kSql);
    job.keeps_ledger().held_before().run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.ran == Lines{"a#1"});
  }
  SECTION("otherwise the recipe decides") {
    JobScript job(command());
    job.held_before().run();
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.ran.empty());
    JobScript skips(command(", on_in_doubt: skip"));
    skips.held_before().run();
    CHECK(skips.finished == JobStatus::succeeded);
    CHECK(skips.ran == Lines{"b#1"});
    JobScript retries(command(", on_in_doubt: retry"));
    retries.held_before().run();
    CHECK(retries.ran == Lines{"a#1", "b#1"});
  }
  SECTION("a later attempt here is not") {
    JobScript job(command(", on_in_doubt: retry, retry: {max: 1, initial: 1s, on: [any]}"));
    int calls = 0;
    job.on("command.run@1", [&](const RunStep&) -> StepResult<Output> {
      if (++calls == 1) return step_fail("connection", "down");
      return Output{};
    });
    job.held_before().run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.ran == Lines{"a#1", "a#2", "b#1"});
  }
}

TEST_CASE("a doubt that was decided stays decided", "[doubt]") {
  JobScript job(command(", on_in_doubt: skip"));
  crash_in_the_middle(job);
  REQUIRE(job.turn().actions.size() == 1);  // b
  job.restart();
  job.run();
  CHECK(job.ran == Lines{"b#1"});
  CHECK(std::ranges::count(job.told(), "skipped a#1") == 1);
}

TEST_CASE("a doubt in a loop is never passed over by `continue`", "[doubt][foreach]") {
  JobScript job(
      "steps:\n  - id: a\n    uses: command.run@1\n    foreach: {over: \"[0, 1]\", on_item_failure: continue}\n    "
      "with: {template: t}\n");
  job.perform(job.turn());
  const auto second = job.turn();
  REQUIRE(std::get<RunStep>(second.actions.at(0)).run.item == 1);
  job.restart();
  job.run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(job.end().message.starts_with("item 1: "));
  CHECK(job.ran == Lines{"a[0]#1"});
}

TEST_CASE("a job cancelled while a step is in doubt says so", "[doubt][cancel]") {
  const auto [choice, finished] = GENERATE(table<std::string, JobStatus>(
      {{"ask", JobStatus::in_doubt}, {"stop", JobStatus::cancelled}, {"skip", JobStatus::cancelled}}));
  INFO(choice);
  JobScript job("steps:\n  - {id: a, uses: command.run@1, with: {template: t}, on_in_doubt: " + choice + "}\n");
  (void)job.turn();
  job.journal().stored().cancel_reason = "asked";
  job.restart();
  job.run();
  CHECK(job.finished == finished);
  CHECK(job.told()[1] == "in_doubt a#1 in_doubt");
  CHECK((finished != JobStatus::in_doubt || job.end().message.ends_with("decide; asked")));
  CHECK(job.ran.empty());
}

TEST_CASE("an interrupted effect is in doubt like one before a crash", "[doubt][lease]") {
  JobScript job(command());
  const auto first = job.turn();
  job.execution().set_standing(Standing::must_wait);
  job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, fails("cancelled"));
  (void)job.turn();
  job.execution().set_standing(Standing::may_act);
  job.run();
  CHECK(job.finished == JobStatus::in_doubt);
}

TEST_CASE("a step that a cancel stops is cancelled, unless its action cannot know", "[doubt][cancel]") {
  struct Case {
    std::string steps;
    const char* says;
    const char* told;
    JobStatus finished;
  };
  const std::string list = "steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n";
  const auto [steps, says, told, finished] =
      GENERATE_REF(values<Case>({{command(), "cancelled", "cancelled a#1 cancelled", JobStatus::cancelled},
                                 {kSql, "cancelled", "cancelled a#1 cancelled", JobStatus::cancelled},
                                 {kSql, "in_doubt", "in_doubt a#1 in_doubt", JobStatus::in_doubt},
                                 {list, "cancelled", "cancelled a#1 cancelled", JobStatus::cancelled}}));
  JobScript job(steps);
  const auto first = job.turn();
  job.execution().cancel("asked");
  job.execution().on_step_result(std::get<RunStep>(first.actions.at(0)).run, fails(says));
  job.run();
  CHECK(job.finished == finished);
  CHECK(std::ranges::count(job.told(), told) == 1);
}

TEST_CASE("an action that cannot know its effect is in doubt, and never retried in silence", "[doubt]") {
  struct Case {
    const char* choice;
    JobStatus finished;
    int runs;
  };
  const auto [choice, finished, runs] = GENERATE(values<Case>({{"ask", JobStatus::in_doubt, 1},
                                                               {"stop", JobStatus::failed, 1},
                                                               {"skip", JobStatus::succeeded, 1},
                                                               {"retry", JobStatus::succeeded, 2}}));
  INFO(choice);
  JobScript job(
      "steps:\n  - {id: a, uses: command.run@1, with: {template: t}, retry: {max: 5, on: [any]}, on_in_doubt: " +
      std::string(choice) + "}\n");
  int run = 0;
  job.on("command.run@1",
         [&](const RunStep& step) {
           CHECK(step.run.attempt == 1);
           return ++run == 1 ? fails("in_doubt", "the connection was lost while committing") : gives(Value());
         })
      .run();
  CHECK(job.finished == finished);
  CHECK(run == runs);
  if (finished == JobStatus::in_doubt) CHECK(job.end().message.find("while committing") != std::string::npos);
}

TEST_CASE("a target with a ledger is asked again after a doubt of its own, with the same key", "[doubt][ledger]") {
  JobScript job(kSql);
  job.keeps_ledger();
  int run = 0;
  job.on("sql.execute@1",
         [&](const RunStep&) { return ++run == 1 ? fails("in_doubt", "lost while committing") : gives(Value()); })
      .run();
  CHECK(job.finished == JobStatus::succeeded);
  REQUIRE(job.steps.size() == 2);
  CHECK(job.steps[1].repeated);
  CHECK(job.steps[0].idempotency_key == job.steps[1].idempotency_key);
}

TEST_CASE("what may be repeated and stays in doubt is repeated a few times, then the recipe decides", "[doubt]") {
  const bool ledger = GENERATE(false, true);
  INFO("ledger " << ledger);
  JobScript job(
      ledger ? kSql
             : "steps:\n  - {id: a, uses: file.move@1, connection: c, with: {from: x, to: y}, retry: {max: 3}}\n");
  if (ledger) job.keeps_ledger();
  const auto began = job.now().steady;
  job.on(ledger ? "sql.execute@1" : "file.move@1", [&](const RunStep&) { return fails("in_doubt", "no answer"); })
      .run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(job.end().message == "no answer");
  CHECK(job.ran == Lines(8, "a#1"));
  CHECK(job.now().steady - began < std::chrono::minutes(3));
  CHECK(job.now().steady - began > std::chrono::minutes(1));
}

TEST_CASE("a doubt that a next run settles is tried again as the recipe says, and knows of the first",
          "[doubt][retry]") {
  JobScript job(
      "steps:\n  - {id: a, uses: sql.execute@1, connection: db, retry: {max: 2, initial: 1m, backoff: fixed}, "
      "with: {statement: \"delete from t\"}}\n");
  job.keeps_ledger();
  int runs = 0;
  const bool settled = GENERATE(true, false);
  const auto in_doubt = StepError{{"in_doubt", "connection"}, "no answer", {}};
  job.on("sql.execute@1", [&](const RunStep&) -> StepResult<Output> {
    if (++runs > 2 && settled) return gives(Value());
    return std::unexpected(in_doubt);
  });
  job.run();
  for (std::size_t i = 1; i < job.steps.size(); ++i) CHECK(job.steps[i].repeated);
  if (settled) {
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.ran == Lines{"a#1", "a#2", "a#3"});
    CHECK(std::ranges::count(job.told(), "failed a#1 connection retry") == 1);
  } else {
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.ran == Lines{"a#1", "a#2", "a#3", "a#3", "a#3", "a#3", "a#3", "a#3"});
  }
}

TEST_CASE("a doubt that a next run would not settle is not tried again for what stands behind it", "[doubt][retry]") {
  JobScript job("steps:\n  - {id: a, uses: command.run@1, with: {template: t}, retry: {max: 2}}\n");
  job.on("command.run@1",
         [](const RunStep&) -> StepResult<Output> {
           return std::unexpected(StepError{{"in_doubt", "connection"}, "output lost", {}});
         })
      .run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(job.ran == Lines{"a#1"});
}

TEST_CASE("a doubt that an action told stays one when its job is cancelled, also of what may be repeated", "[doubt]") {
  JobScript job("steps:\n  - {id: a, uses: file.move@1, connection: c, with: {from: x, to: y}}\n");
  const auto run = std::get<RunStep>(job.turn().actions.at(0)).run;
  const bool while_it_runs = GENERATE(true, false);
  if (while_it_runs) job.execution().cancel("asked");
  job.execution().on_step_result(run, fails("in_doubt", "moved, perhaps"));
  (void)job.turn();
  if (!while_it_runs) job.execution().cancel("asked");
  job.run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(std::ranges::count(job.told(), "in_doubt a#1 in_doubt") == 1);
}

TEST_CASE("a doubt is decided although the arguments cannot be had any more", "[doubt]") {
  const auto [choice, finished] =
      GENERATE(table<std::string, JobStatus>({{"ask", JobStatus::in_doubt}, {"stop", JobStatus::failed}}));
  JobScript job("steps:\n  - {id: a, uses: command.run@1, retry: {max: 3, on: [any, policy]}, on_in_doubt: " + choice +
                ", with: {template: t, stdin: \"${{ secrets.other }}\"}}\n");
  job.held_before().run();
  CHECK(job.finished == finished);
  CHECK(job.ran.empty());
  CHECK(std::ranges::count(job.told(), "in_doubt a#1 in_doubt") == 1);
}

namespace {

StepResult<Output> unanswered(const RunStep&) {
  return std::unexpected(StepError{{"in_doubt", "connection"}, "no answer", {}});
}

}  // namespace

TEST_CASE("a doubt stays one while its step waits to be tried again", "[doubt][retry][cancel]") {
  JobScript job(
      "steps:\n  - {id: a, uses: sql.execute@1, connection: db, retry: {max: 2, initial: 1m}, with: {statement: "
      "\"delete from t\"}}\n");
  job.keeps_ledger().on("sql.execute@1", unanswered);
  job.perform(job.turn());
  (void)job.turn();
  SECTION("when it is cancelled") { job.execution().cancel("asked"); }
  SECTION("when it is cancelled after a restart") {
    job.journal().stored().cancel_reason = "asked";
    job.restart();
  }
  job.run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(job.ran == Lines{"a#1"});
}

TEST_CASE("a run that does not reach its target settles no doubt", "[doubt]") {
  JobScript job("steps:\n  - {id: a, uses: file.move@1, connection: c, with: {from: x, to: y}}\n");
  int runs = 0;
  const bool there_again = GENERATE(true, false);
  job.on("file.move@1",
         [&](const RunStep& step) {
           if (++runs == 1) return unanswered(step);
           return there_again && runs == 4 ? fails("not_found", "no such file")
                                           : fails("connection", "the share is away");
         })
      .run();
  CHECK(job.finished == (there_again ? JobStatus::failed : JobStatus::in_doubt));
  CHECK(job.end().message == (there_again ? "no such file" : "no answer"));
  CHECK(runs == (there_again ? 4 : 8));
}

TEST_CASE("a doubt in a loop is its step's, whatever else ends the loop", "[doubt][foreach]") {
  const auto loop = [](const std::string& more) {
    return "steps:\n  - id: a\n    uses: command.run@1\n    on_failure: continue\n    foreach: {over: \"[0, 1]\", "
           "concurrency: 2" +
           more + "}\n    with: {template: t}\n";
  };
  JobScript job(loop(""));
  const auto first = job.turn();
  const auto run = [&](std::size_t i) { return std::get<RunStep>(first.actions.at(i)).run; };
  SECTION("another item's failure") { job.execution().on_step_result(run(0), fails("exit:1")); }
  SECTION("a cancel") {
    job.execution().cancel("asked");
    job.execution().on_step_result(run(0), fails("cancelled"));
  }
  (void)job.turn();
  job.execution().on_step_result(run(1), unanswered(std::get<RunStep>(first.actions.at(1))));
  job.run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(std::ranges::count(job.told(), "in_doubt a#1 in_doubt") == 1);
}

TEST_CASE("what an agent that was lost may have begun is in doubt, though its next holder is told to stop at once",
          "[doubt][cancel]") {
  const auto [step, finished] = GENERATE(
      table<std::string, JobStatus>({{"uses: command.run@1, with: {template: t}", JobStatus::in_doubt},
                                     {"uses: command.run@1, if: 1 == 2, with: {template: t}", JobStatus::cancelled},
                                     {"uses: file.list@1, connection: c, with: {path: x}", JobStatus::cancelled},
                                     {"stop: {status: succeeded}", JobStatus::cancelled}}));
  INFO(step);
  JobScript job("steps:\n  - {id: a, " + step + "}\n");
  job.journal().stored().cancel_reason = "asked";
  job.held_before().run();
  CHECK(job.finished == finished);
  CHECK(job.ran.empty());
}

TEST_CASE("a run that was broken off is remembered by every attempt after it, also after a restart", "[doubt][retry]") {
  JobScript job(
      "steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}, retry: {max: 3, initial: 1s}}\n");
  int calls = 0;
  job.on("file.list@1", [&](const RunStep&) { return ++calls < 4 ? fails("connection") : gives(Value()); });
  job.perform(job.turn());  // ends with a definite error
  job.turn();
  job.advance(std::chrono::seconds(2));
  const bool crash = GENERATE(false, true);
  INFO("crash " << crash);
  if (crash) {
    REQUIRE(job.turn().actions.size() == 1);
    job.restart();
  }
  job.perform(job.turn());
  job.turn();
  job.restart();  // while it waits for the attempt after that
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  REQUIRE(job.ran == Lines{"a#1", "a#2", "a#3", "a#4"});
  CHECK_FALSE(job.steps[0].repeated);
  for (std::size_t i = 1; i < 4; ++i) CHECK(job.steps[i].repeated == crash);
}

TEST_CASE("a doubt that was told and not yet decided is one after a crash too", "[doubt]") {
  JobScript job(command());
  const auto first = job.turn();
  job.execution().on_step_result(std::get<RunStep>(first.actions.at(0)).run, fails("in_doubt"));
  (void)job.turn();
  job.restart();
  job.run();
  CHECK(job.finished == JobStatus::in_doubt);
  CHECK(job.ran.empty());
}

TEST_CASE("a result that came in time is no doubt, though the lease has ended", "[doubt][lease]") {
  JobScript job(command());
  const auto first = job.turn();
  job.execution().set_standing(Standing::must_wait);
  job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, gives(Value()));
  (void)job.turn();
  job.execution().set_standing(Standing::may_act);
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"b#1"});
}

TEST_CASE("steps completed by an earlier holder are taken over", "[doubt][replay]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.move@1, connection: c, with: {from: x, to: y}}
  - {id: b, uses: file.list@1, connection: c, with: {path: "${{ steps.a.output.path }}"}}
)");
  const auto earlier = [&](const std::string& output) {
    job.journal().stored().done.push_back(
        {{"a", kNoItem, 1}, StepStatus::succeeded, job.now().wall, std::nullopt, outcome_from_relay(output, "")});
    job.restart();
    job.run();
  };
  SECTION("with their output") {
    earlier(R"({"path":"in"})");
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.ran == Lines{"b#1"});
    CHECK(job.steps[0].arguments.find("path")->as_string() == "in");
  }
  SECTION("a masked output is missing, not replaced by asterisks") {
    earlier(R"("***")");
    CHECK(job.finished == JobStatus::failed);
    CHECK(job.end().error_class == "output_lost");
    CHECK(job.ran.empty());
  }
}

}  // namespace sallyport::execution
