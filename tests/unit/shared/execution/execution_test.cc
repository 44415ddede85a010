#include "tests/unit/shared/execution/job_script.h"

namespace sallyport::execution {
using namespace test;
using Lines = std::vector<std::string>;

namespace {

const std::string kTwoSteps = R"(
steps:
  - {id: a, uses: file.move@1, connection: c, with: {from: x, to: y}}
  - {id: b, uses: file.list@1, connection: c, with: {path: "${{ steps.a.output.path }}"}}
)";

Value map_of(const char* key, Value value) { return Value(ValueMap{{Value(key), std::move(value)}}); }

}  // namespace

TEST_CASE("steps run one after the other, each with what came before", "[execution]") {
  JobScript job(kTwoSteps);
  job.on("file.move@1", [](const RunStep&) { return gives(map_of("path", "in")); }).run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"a#1", "b#1"});
  CHECK(job.steps[1].arguments.find("path")->as_string() == "in");
  CHECK(job.steps[1].connection == "c");
  CHECK(job.told() == Lines{"started a#1", "succeeded a#1", "started b#1", "succeeded b#1", "job succeeded"});
  CHECK(job.journal().ended());
}

TEST_CASE("the intent is recorded in the turn that hands out the action, the end in the one that takes it",
          "[execution]") {
  JobScript job(kTwoSteps);
  auto first = job.turn();
  REQUIRE(first.actions.size() == 1);
  REQUIRE(first.changes.size() == 1);
  const auto& intent = std::get<AddIntent>(first.changes[0]).intent;
  const auto& action = std::get<RunStep>(first.actions[0]);
  CHECK(intent.idempotency_key == action.idempotency_key);
  CHECK(intent.run == action.run);
  job.execution().on_step_result(action.run, gives(map_of("path", "in")));
  auto second = job.turn();
  REQUIRE(second.changes.size() == 2);
  CHECK(std::get<AddDone>(second.changes[0]).done.run.path == "a");
  CHECK(std::get<AddIntent>(second.changes[1]).intent.run.path == "b");
}

TEST_CASE("if decides whether a step runs", "[execution][if]") {
  struct Case {
    const char* condition;
    Lines told;
  };
  const auto [condition, told] = GENERATE(values<Case>({
      {"true", {"started a#1", "succeeded a#1", "job succeeded"}},
      {"1 > 2", {"skipped a#1", "job succeeded"}},
      {"inputs.size() == 0", {"started a#1", "succeeded a#1", "job succeeded"}},
      {"${{ trigger.kind == 'manual' }}", {"started a#1", "succeeded a#1", "job succeeded"}},
      {"trigger.inputs.absent", {"started a#1", "failed a#1 invalid", "job failed invalid"}},
      {"trigger.kind", {"started a#1", "failed a#1 invalid", "job failed invalid"}},
  }));
  INFO(condition);
  JobScript job(
      std::string("steps:\n  - id: a\n    uses: file.list@1\n    connection: c\n    with: {path: x}\n    if: \"") +
      condition + "\"\n");
  job.run();
  CHECK(job.told() == told);
}

TEST_CASE("a skipped step is visible to later ones", "[execution][if]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.list@1, connection: c, if: "false", with: {path: x}}
  - {id: b, uses: file.list@1, connection: c, if: "steps.a.status == 'skipped' && steps.a.output == null", with: {path: x}}
)");
  job.run();
  CHECK(job.ran == Lines{"b#1"});
}

TEST_CASE("a failed step fails the job, unless it may", "[execution][failure]") {
  const bool may = GENERATE(false, true);
  JobScript job(std::string("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}") +
                (may ? ", on_failure: continue" : "") +
                "}\n  - {id: b, uses: file.list@1, connection: c, if: \"steps.a.status == 'failed' && "
                "steps.a.error.class == 'not_found'\", "
                "with: {path: x}}\n");
  job.on("file.list@1 a", [](const RunStep&) { return fails("not_found", "no such folder"); }).run();
  CHECK(job.ran == (may ? Lines{"a#1", "b#1"} : Lines{"a#1"}));
  CHECK(job.finished == (may ? JobStatus::succeeded : JobStatus::failed));
  if (!may) {
    CHECK(job.end().error_class == "not_found");
    CHECK(job.end().message == "no such folder");
    CHECK(job.end().failed_step == "a");
  }
}

TEST_CASE("on_failure can ask how far the job came", "[execution][failure]") {
  JobScript job(R"(steps:
  - {id: a, uses: command.run@1, with: {template: t}}
  - {id: b, uses: file.list@1, connection: c, with: {path: x}}
  - {id: c, uses: file.list@1, connection: c, with: {path: y}}
on_failure:
  - {id: skipped, if: "steps.c.status == 'succeeded'", uses: file.list@1, connection: c, with: {path: z}}
  - id: tell
    uses: log.write@1
    with: {text: "${{ steps.a.status }}, ${{ steps.b.status }}, ${{ steps.c.status }}, ${{ string(steps.c.output == null) }}, ${{ steps.skipped.status }}"}
)");
  job.on("file.list@1", [](const RunStep&) { return fails("timeout", "slow"); }).run();
  CHECK(job.ran == Lines{"a#1", "b#1"});
  const auto told = job.told();
  CHECK(std::ranges::find(told, "log info succeeded, failed, not_run, true, skipped") != told.end());
  CHECK(job.end().error_class == "timeout");
}

TEST_CASE("on_failure steps see the error and do not change the outcome", "[execution][failure]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.list@1, connection: c, with: {path: x}}
  - {id: never, uses: file.list@1, connection: c, with: {path: x}}
on_failure:
  - {id: tell, uses: log.write@1, with: {text: "${{ error.step }} ${{ error.class }} ${{ error.message }}", level: warn}}
  - {id: more, uses: file.list@1, connection: c, with: {path: y}}
)");
  SECTION("which go well") {
    job.on("file.list@1 a", [](const RunStep&) { return fails("timeout", "slow"); }).run();
    CHECK(job.told() == Lines{"started a#1", "failed a#1 timeout", "started on_failure.tell#1",
                              "log warn a timeout slow", "succeeded on_failure.tell#1", "started on_failure.more#1",
                              "succeeded on_failure.more#1", "job failed timeout"});
  }
  SECTION("which fail") {
    job.on("file.list@1", [](const RunStep& step) { return fails(step.path == "a" ? "timeout" : "policy"); }).run();
    CHECK(job.end().error_class == "timeout");
    CHECK(job.end().failed_step == "a");
  }
}

TEST_CASE("every run that begins says so with its action, whatever becomes of it", "[execution][reports]") {
  JobScript job(R"(
steps:
  - {id: tell, uses: log.write@1, with: {text: hello}}
  - {id: skipped, uses: file.list@1, connection: c, if: "false", with: {path: x}}
  - {id: wrong, uses: file.list@1, connection: c, with: {path: "${{ string(1 / size(steps.tell.status.substring(9))) }}"}, on_failure: continue}
  - {id: unsure, uses: file.list@1, connection: c, if: "1 / size(steps.tell.status.substring(9)) == 1", with: {path: x}, on_failure: continue}
  - {id: each, uses: file.list@1, connection: c, foreach: "${{ [1 / size(steps.tell.status.substring(9))] }}", with: {path: x}}
on_failure:
  - {id: last, uses: log.write@1, with: {text: bye}}
)");
  job.run();
  std::map<std::string, std::string> uses, at_end;
  for (const auto& body : job.reports) {
    if (const auto* started = std::get_if<report::StepStarted>(&body)) uses.emplace(started->path, started->uses);
    if (const auto* finished = std::get_if<report::StepFinished>(&body)) {
      CHECK(uses.contains(finished->path) == (finished->status != "skipped"));
      at_end.emplace(finished->path, finished->uses);
    }
  }
  auto all = uses;
  all.emplace("skipped", "file.list@1");  // of a step that never began only its end can tell it
  CHECK(at_end == all);
  CHECK(uses == std::map<std::string, std::string>{{"tell", "log.write@1"},
                                                   {"wrong", "file.list@1"},
                                                   {"unsure", "file.list@1"},
                                                   {"each", "file.list@1"},
                                                   {"on_failure.last", "log.write@1"}});
}

TEST_CASE("retry by error class, with growing delays", "[execution][retry]") {
  JobScript job(R"(
steps:
  - id: a
    uses: file.list@1
    connection: c
    with: {path: x}
    retry: {max: 3, initial: 10s, backoff: exponential, on: [connection, timeout]}
)");
  int calls = 0;
  SECTION("until it works") {
    job.on("file.list@1", [&](const RunStep&) { return ++calls < 3 ? fails("connection") : gives(Value(1)); }).run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.told() == Lines{"started a#1", "failed a#1 connection retry", "started a#2",
                              "failed a#2 connection retry", "started a#3", "succeeded a#3", "job succeeded"});
    CHECK(job.slept <= std::chrono::seconds(30));
    CHECK(job.slept >= std::chrono::seconds(24));
    CHECK(job.steps[0].idempotency_key == job.steps[2].idempotency_key);
    for (const auto& step : job.steps) CHECK_FALSE(step.repeated);  // each ended, with a definite error
  }
  SECTION("or not at all") {
    job.on("file.list@1", [&](const RunStep&) { return fails("timeout"); }).run();
    CHECK(job.ran.size() == 4);
    CHECK(job.finished == JobStatus::failed);
  }
  SECTION("but not for another class") {
    job.on("file.list@1", [&](const RunStep&) { return fails("constraint"); }).run();
    CHECK(job.ran.size() == 1);
  }
  SECTION("a crash in the pause changes nothing") {
    job.on("file.list@1", [&](const RunStep&) { return ++calls < 2 ? fails("connection") : gives(Value(1)); });
    job.perform(job.turn());
    const auto pause = job.turn();
    REQUIRE(pause.wake);
    job.restart();
    CHECK(job.turn().actions.empty());
    job.run();
    CHECK(job.ran == Lines{"a#1", "a#2"});
    CHECK(job.slept > std::chrono::seconds(7));
  }
}

TEST_CASE("stop ends the job there and then", "[execution][stop]") {
  struct Case {
    const char* status;
    JobStatus finished;
  };
  const auto [status, finished] = GENERATE(values<Case>(
      {{"succeeded", JobStatus::succeeded}, {"failed", JobStatus::failed}, {"cancelled", JobStatus::cancelled}}));
  JobScript job(std::string("steps:\n  - {id: s, if: \"1 == 1\", stop: {status: ") + status +
                ", message: \"nothing to do for ${{ recipe.name }}\"}}\n  - {id: a, uses: file.list@1, connection: c, "
                "with: {path: x}}\n");
  job.run();
  CHECK(job.finished == finished);
  CHECK(job.ran.empty());
  CHECK(job.end().message == "nothing to do for test");
}

TEST_CASE("a stop that does not apply is passed over", "[execution][stop]") {
  JobScript job(
      "steps:\n  - {id: s, if: \"false\", stop: {status: failed}}\n  - {id: a, uses: file.list@1, connection: c, with: "
      "{path: x}}\n");
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"a#1"});
}

TEST_CASE("wait.for waits, also over a restart and over a clock that jumps", "[execution][wait]") {
  JobScript job(
      "steps:\n  - {id: w, uses: wait.for@1, with: {duration: 2h}}\n  - {id: a, uses: file.list@1, connection: c, "
      "with: {path: x}}\n");
  SECTION("undisturbed") {
    job.run();
    CHECK(job.slept == std::chrono::hours(2));
    CHECK(job.told()[0] == "started w#1");
  }
  SECTION("restarted in the middle") {
    (void)job.turn();
    job.advance(std::chrono::hours(1));
    job.restart();
    job.run();
    CHECK(job.slept == std::chrono::hours(1));
    CHECK(std::ranges::count(job.told(), "started w#1") == 1);
  }
  SECTION("restarted after its end") {
    (void)job.turn();
    job.advance(std::chrono::hours(5));
    job.restart();
    job.run();
    CHECK(job.slept == std::chrono::hours(0));
  }
  CHECK(job.ran == Lines{"a#1"});
}

TEST_CASE("a job over its time is ended, and its failure handled", "[execution][timeout]") {
  JobScript job(R"(
timeout: 10m
steps:
  - {id: a, uses: file.list@1, connection: c, with: {path: x}}
  - {id: b, uses: file.list@1, connection: c, with: {path: x}}
on_failure: [{id: tell, uses: log.write@1, with: {text: "${{ error.class }} in ${{ error.step }}"}}]
)");
  SECTION("while a step runs") {
    const auto first = job.turn();
    CHECK(std::get<RunStep>(first.actions[0]).latest > job.now().steady + std::chrono::minutes(10));
    job.advance(std::chrono::minutes(11));
    const auto late = job.turn();
    CHECK(late.interrupt);
    CHECK_FALSE(job.finished);
    job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, fails("cancelled"));
    job.run();
    CHECK(job.told() == Lines{"started a#1", "cancelled a#1 timeout", "started on_failure.tell#1",
                              "log info timeout in a", "succeeded on_failure.tell#1", "job timed_out timeout"});
  }
  SECTION("between steps, and what ended in time counts") {
    const auto first = job.turn();
    job.advance(std::chrono::minutes(11));
    job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, gives(Value()));
    job.run();
    CHECK(job.told()[1] == "succeeded a#1");
    CHECK(job.finished == JobStatus::timed_out);
    CHECK(job.ran.empty());
  }
  SECTION("also when the agent was down meanwhile") {
    (void)job.turn();
    job.advance(std::chrono::minutes(20));
    job.restart();
    job.run();
    CHECK(job.finished == JobStatus::timed_out);
  }
}

// An action may notice that its time is over, or be interrupted, in any order with the job's own limit.
TEST_CASE("a job over its time ends the same, whichever of its limits the step noticed", "[execution][timeout]") {
  const std::string word = GENERATE("cancelled", "timeout");
  const std::string retry = GENERATE("", ", retry: {max: 3}");
  const bool told_before = GENERATE(false, true);
  INFO(word << " " << retry << " " << told_before);
  JobScript job("timeout: 10m\nsteps:\n  - {id: a, uses: command.run@1, with: {template: t}" + retry + R"(}
on_failure: [{id: tell, uses: log.write@1, with: {text: "${{ error.class }} in ${{ error.step }}"}}]
)");
  const auto run = std::get<RunStep>(job.turn().actions[0]).run;
  job.advance(std::chrono::minutes(10));
  if (told_before) CHECK(job.turn().interrupt);
  job.execution().on_step_result(run, fails(word, "the process was ended"));
  job.run();
  CHECK(job.told() == Lines{"started a#1", "cancelled a#1 timeout", "started on_failure.tell#1",
                            "log info timeout in a", "succeeded on_failure.tell#1", "job timed_out timeout"});
  CHECK(job.end().message == "the job took longer than its time limit of 10m (`timeout`)");
  CHECK(job.end().failed_step == "a");
}

TEST_CASE("what an action knows beyond that its time was over stays said when the job is over its time",
          "[execution][timeout]") {
  JobScript job("timeout: 10m\nsteps:\n  - {id: a, uses: command.run@1, with: {template: t}}\n");
  const auto run = std::get<RunStep>(job.turn().actions[0]).run;
  job.advance(std::chrono::minutes(10));
  SECTION("a failure of its own") {
    job.execution().on_step_result(run, fails("exit:3", "it ended with 3"));
    job.run();
    CHECK(job.finished == JobStatus::failed);
    CHECK(job.end().error_class == "exit:3");
  }
  SECTION("a doubt") {
    job.execution().on_step_result(run, fails("in_doubt", "told to commit, and no answer"));
    job.run();
    CHECK(job.finished == JobStatus::in_doubt);
    CHECK(job.end().message ==
          "told to commit, and no answer; the job took longer than its time limit of 10m (`timeout`)");
  }
}

TEST_CASE("a step over its own time fails with it, and is tried again as the recipe says", "[execution][timeout]") {
  const bool again = GENERATE(false, true);
  JobScript job("steps:\n  - {id: a, uses: command.run@1, timeout: 2s, with: {template: t}" +
                std::string(again ? ", retry: {max: 1}" : "") + "}\n");
  job.on("command.run@1", [](const RunStep&) { return fails("timeout", "it did not end in time"); }).run();
  CHECK(job.finished == JobStatus::failed);
  CHECK(job.end().error_class == "timeout");
  CHECK(job.ran.size() == (again ? 2u : 1u));
}

TEST_CASE("a cancelled job ends as cancelled, whatever its step made of it", "[execution][cancel]") {
  const std::string word = GENERATE("cancelled", "timeout");
  const bool late = GENERATE(false, true);
  JobScript job("timeout: 10m\nsteps:\n  - {id: a, uses: command.run@1, with: {template: t}}\n");
  const auto run = std::get<RunStep>(job.turn().actions[0]).run;
  job.execution().cancel("an operator asked");
  if (late) job.advance(std::chrono::minutes(10));
  CHECK(job.turn().interrupt);
  job.execution().on_step_result(run, fails(word));
  job.run();
  CHECK(job.finished == JobStatus::cancelled);
  CHECK(job.end().message == "an operator asked");
  if (word == "cancelled") CHECK(job.told()[1] == "cancelled a#1 cancelled");
}

TEST_CASE("a step's own time limit goes with it", "[execution][timeout]") {
  JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, timeout: 90s, with: {path: x}}\n");
  job.run();
  CHECK(job.steps[0].time_limit == std::chrono::seconds(90));
}

TEST_CASE("a cancelled job ends after what runs, and starts nothing more", "[execution][cancel]") {
  JobScript job(kTwoSteps + "on_failure: [{id: tell, uses: log.write@1, with: {text: no}}]\n");
  const auto first = job.turn();
  const auto run = std::get<RunStep>(first.actions[0]).run;
  job.execution().cancel("an operator asked");
  CHECK(job.turn().interrupt);
  SECTION("which was interrupted") { job.execution().on_step_result(run, fails("cancelled")); }
  SECTION("which ended well") { job.execution().on_step_result(run, gives(map_of("path", "x"))); }
  SECTION("which failed") { job.execution().on_step_result(run, fails("connection")); }
  job.run();
  CHECK(job.finished == JobStatus::cancelled);
  CHECK(job.end().message == "an operator asked");
  CHECK(job.ran.empty());
}

TEST_CASE("a cancel is remembered by the journal", "[execution][cancel]") {
  JobScript job(kTwoSteps);
  job.perform(job.turn());
  job.journal().stored().cancel_reason = "asked before the crash";
  job.restart();
  job.run();
  CHECK(job.finished == JobStatus::cancelled);
}

TEST_CASE("without leave to act nothing new begins", "[execution][lease]") {
  JobScript job(kTwoSteps);
  job.execution().set_standing(Standing::must_wait);
  CHECK(job.turn().actions.empty());
  job.execution().set_standing(Standing::may_act);
  const auto first = job.turn();
  REQUIRE(first.actions.size() == 1);
  job.execution().set_standing(Standing::must_wait);
  job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, gives(map_of("path", "x")));
  const auto second = job.turn();
  CHECK(second.actions.empty());
  CHECK(second.changes.size() == 1);  // what came in is kept
  job.execution().set_standing(Standing::may_act);
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
}

TEST_CASE("a run interrupted by the end of the lease is in doubt, not failed", "[execution][lease]") {
  JobScript job(kTwoSteps);
  job.on("file.move@1", [](const RunStep&) { return gives(map_of("path", "x")); });
  const auto first = job.turn();
  job.execution().set_standing(Standing::must_wait);
  job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, fails("cancelled"));
  CHECK(job.turn().changes.empty());
  job.execution().set_standing(Standing::may_act);
  job.run();
  CHECK(job.ran == Lines{"a#1", "b#1"});
  CHECK(job.steps[0].repeated);
  CHECK(job.told()[1] == "log warn run again after an interruption, with the same idempotency key");
}

TEST_CASE("a policy refusal is told as such", "[execution][policy]") {
  JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n");
  job.on("file.list@1",
         [](const RunStep&) -> StepResult<Output> {
           return std::unexpected(StepError{{"policy"}, "not allowed", "policy.yaml:7 files"});
         })
      .run();
  CHECK(job.told() ==
        Lines{"started a#1", "failed a#1 policy", "event policy.refused policy.yaml:7 files", "job failed policy"});
}

TEST_CASE("the idempotency key depends on job and path only", "[execution]") {
  const StepRun run{"a", 3, 1}, later{"a", 3, 9}, other{"a", 4, 1};
  CHECK(idempotency_key(JobId("job_1"), run) == idempotency_key(JobId("job_1"), later));
  CHECK(idempotency_key(JobId("job_1"), run) != idempotency_key(JobId("job_1"), other));
  CHECK(idempotency_key(JobId("job_1"), run) != idempotency_key(JobId("job_2"), run));
  CHECK(idempotency_key(JobId("job_1"), run).size() == 32);
}

TEST_CASE("paths read back as they are written", "[execution]") {
  for (const StepRun& run : {StepRun{"a", -1, 1}, {"a", 0, 1}, {"on_failure.tell", 1'000'000, 1}}) {
    CHECK(parse_path(path_text(run), 1) == run);
  }
  for (const char* bad : {"", "[1]", "a[", "a[]", "a[x]", "a[-1]", "a[1", "a[1]b", "a[99999999999999999999]"}) {
    INFO(bad);
    CHECK_FALSE(parse_path(bad, 1));
  }
}

}  // namespace sallyport::execution
