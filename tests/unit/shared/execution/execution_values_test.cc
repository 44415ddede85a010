#include "shared/execution/outcome.h"
#include "tests/unit/shared/execution/job_script.h"

#include <algorithm>

namespace sallyport::execution {
using namespace test;
using Lines = std::vector<std::string>;

namespace {

std::string input_of(const JobScript& job, const std::string& path) {
  for (const auto& body : job.reports) {
    const auto* started = std::get_if<report::StepStarted>(&body);
    if (started != nullptr && started->path == path) return started->input_json;
  }
  return "nothing";
}

std::string all_reports(const JobScript& job) {
  std::string all;
  for (const auto& body : job.reports) {
    if (const auto* started = std::get_if<report::StepStarted>(&body)) all += started->input_json;
    if (const auto* finished = std::get_if<report::StepFinished>(&body))
      all += finished->output_json + finished->message;
    if (const auto* log = std::get_if<report::StepLog>(&body)) all += log->text;
  }
  return all;
}

}  // namespace

TEST_CASE("expressions see who and what and when", "[execution][contexts]") {
  JobScript job(R"(
inputs: {day: {type: text, default: monday}}
vars: {folder: out}
steps:
  - id: a
    uses: log.write@1
    with:
      text: "${{ job.id }} ${{ job.run_number }} ${{ recipe.name }} ${{ recipe.version }} ${{ agent.name }} ${{ agent.group }} ${{ vars.folder }} ${{ inputs.day }} ${{ trigger.kind }} ${{ job.started_at }}"
)",
                R"({"kind":"manual","inputs":{"day":"friday"}})");
  job.run();
  CHECK(job.told()[1] == "log info job_01 1 test 4 agent-1 dc1 out friday manual 2023-11-14T22:13:20Z");
}

TEST_CASE("inputs have their defaults when the trigger brings none", "[execution][contexts]") {
  JobScript job(
      "inputs: {day: {type: text, default: monday}}\nsteps:\n  - {id: a, uses: log.write@1, with: {text: \"${{ "
      "inputs.day }}\"}}\n",
      R"({"kind":"schedule","scheduled_at":"2026-01-01T00:00:00Z"})");
  job.run();
  CHECK(job.told()[1] == "log info monday");
}

TEST_CASE("a masked step shows neither input nor output, but later steps can use it", "[execution][mask]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.move@1, connection: c, mask: true, with: {from: canary-in, to: y}}
  - {id: b, uses: file.list@1, connection: c, with: {path: "${{ steps.a.output.path }}"}}
  - {id: c, uses: log.write@1, with: {text: "got ${{ steps.a.output.path }}"}}
)");
  job.on("file.move@1", [](const RunStep&) { return gives(Value(ValueMap{{"path", "canary-out"}})); });
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.steps.back().arguments.find("path")->as_string() == "canary-out");
  CHECK(input_of(job, "a") == "\"***\"");
  CHECK(all_reports(job).find("canary") == std::string::npos);
}

TEST_CASE("a secret reaches the action and no report", "[execution][secret]") {
  JobScript job("steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.token }}\"}}\n");
  job.on("command.run@1", [](const RunStep& step) { return gives(*step.arguments.find("stdin")); });
  job.run();
  CHECK(job.steps[0].arguments.find("stdin")->as_string() == "s3cr3t");
  CHECK(has(job.steps[0].arguments.find("stdin")->label(), Label::secret));
  CHECK(all_reports(job).find("s3cr3t") == std::string::npos);  // neither the argument nor what was made of it
  CHECK(job.finished == JobStatus::succeeded);
}

TEST_CASE("a secret that the policy does not give fails the step, and both sides hear the rule",
          "[execution][secret]") {
  JobScript job("steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.other }}\"}}\n");
  job.run();
  CHECK(job.end().error_class == "policy");
  CHECK(job.ran.empty());
  const auto refused = std::ranges::find_if(
      job.reports, [](const auto& body) { return std::holds_alternative<report::AgentEvent>(body); });
  REQUIRE(refused != job.reports.end());
  CHECK(std::get<report::AgentEvent>(*refused).kind == "policy.refused");
  CHECK(std::get<report::AgentEvent>(*refused).rule == "policy.yaml secrets");
}

TEST_CASE("who asks for a secret is told to the policy, anew for each run", "[execution][secret]") {
  JobScript job(R"(
steps:
  - id: a
    uses: command.run@1
    with: {template: post, stdin: "x ${{ secrets.token }}", environment: {T: "${{ secrets['token'] }}"}}
    retry: {max: 1, initial: 1s, on: [connection]}
  - {id: b, uses: sql.execute@1, connection: erp, with: {statement: "delete from t where k = :k", params: {k: "${{ secrets.token }}"}}}
)");
  int tries = 0;
  job.on("command.run@1", [&](const RunStep&) { return ++tries == 1 ? fails("connection") : gives(Value()); }).run();
  CHECK(job.finished == JobStatus::succeeded);
  const Lines asked(4, "token command.run@1  post test");
  CHECK(Lines(job.secrets_asked.begin(), job.secrets_asked.begin() + 4) == asked);  // two uses, two attempts
  CHECK(job.secrets_asked.back() == "token sql.execute@1 erp  test");
}

TEST_CASE("what a step made of a secret is a secret for every later step", "[execution][secret]") {
  const std::string use =
      "steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.token }}\"}}\n"
      "  - {id: w, uses: wait.for@1, with: {duration: 1s}}\n";
  const auto later = GENERATE(
      as<std::string>{}, "  - {id: b, uses: log.write@1, with: {text: \"${{ steps.a.output.text }}\"}}\n",
      "  - {id: b, uses: log.write@1, with: {text: \"${{ size(steps.a.output.text) }}\"}}\n",
      "  - {id: b, uses: command.run@1, with: {template: t, params: {p: \"${{ steps.a.output.text }}\"}}}\n",
      "  - {id: b, uses: file.write@1, connection: c, with: {path: x, source: \"${{ steps.a.output.stdout }}\"}}\n",
      "  - {id: b, uses: csv.read@1, with: {source: \"${{ steps.a.output.stdout }}\"}}\n",
      "  - {id: b, uses: json.write@1, with: {value: \"${{ steps.a.output }}\"}}\n",
      "  - {id: b, uses: log.write@1, with: {text: \"${{ [steps.a.output.text].map(x, x + '!') }}\"}}\n");
  INFO(later);
  JobScript job(use + later);
  job.on("command.run@1", [](const RunStep& step) {
    return gives(
        Value(ValueMap{{"text", *step.arguments.find("stdin")}, {"stdout", Handle{"spool", {{"name", "n"}}}}}));
  });
  const bool crash = GENERATE(false, true);
  if (crash) {
    job.perform(job.turn());
    (void)job.turn();
    job.restart();
  }
  job.run();
  CHECK(job.end().error_class == "invalid");
  CHECK(job.end().message.find("secret") != std::string::npos);
  CHECK(job.ran == Lines{"a#1"});
  CHECK(all_reports(job).find("s3cr3t") == std::string::npos);
}

TEST_CASE("an error that a secret causes does not show it", "[execution][secret]") {
  const auto bad = GENERATE(as<std::string>{}, "${{ int(secrets.token) }}", "${{ {'a': 1}[secrets.token] }}",
                            "${{ timestamp(secrets.token) }}", "${{ secrets.token + 1 }}", "${{ secrets.token.name }}",
                            "${{ 'a'.matches(secrets.token + '(') }}");
  INFO(bad);
  JobScript job("steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: \"" + bad + "\"}}\n");
  job.run();
  CHECK(job.finished == JobStatus::failed);
  CHECK(job.ran.empty());
  CHECK(all_reports(job).find("s3cr3t") == std::string::npos);
  CHECK(job.end().message.find("s3cr3t") == std::string::npos);
}

TEST_CASE("no failure of an expression says what a secret is", "[execution][secret]") {
  const auto asks =
      GENERATE(as<std::string>{}, "secrets.token.charAt(item) == 's' ? string(1 / 0) : 'x'",
               "{'s': 'x'}[secrets.token.charAt(item)]", "secrets.token.startsWith('s3') ? 'x' : string(1 / 0)",
               "secrets.token.replace('s', 'xxxxxxxxxxxxxxxxxxxxxxxx')", "string(bytes(secrets.token))",
               "secrets.token.split('3')[item]", "[1, 2].exists(x, secrets.token.size() == x) ? 'a' : 'b'");
  INFO(asks);
  JobScript job(
      "steps:\n  - id: a\n    uses: sql.query@1\n    connection: c\n"
      "    foreach: {over: \"[0, 1, 2, 3, 4, 5]\", on_item_failure: continue}\n"
      "    with: {statement: \"select :p\", params: {p: \"${{ " +
      asks + " }}\"}}\n");
  job.run();
  CHECK(job.ran.empty());
  std::set<std::string> told;
  for (const auto& body : job.reports) {
    const auto* end = std::get_if<report::StepFinished>(&body);
    if (end != nullptr && end->path != "a") told.insert(end->error_class + ": " + end->message);
  }
  REQUIRE(told.size() == 1);  // all items the same
  CHECK(told.begin()->starts_with("invalid: `with.params.p`: line 1, column "));
  CHECK(told.begin()->find("may not depend on a secret") != std::string::npos);
}

TEST_CASE("of a failed expression over masked values the class is told", "[execution][mask]") {
  const auto [mask, over] =
      GENERATE(table<std::string, std::string>({{", mask: true", "1 / 0"},
                                                {"", "steps.seen.output.text == 's3cr3t' ? 1 / 0 : 1"},
                                                {"", "int(steps.seen.output.text)"}}));
  JobScript job(
      "steps:\n  - {id: seen, uses: command.run@1, mask: true, with: {template: t}}\n"
      "  - {id: a, uses: file.list@1, connection: c, with: {path: \"${{ string(" +
      over + ") }}\"}" + mask + "}\n");
  job.on("command.run@1", [](const RunStep&) { return gives(Value(ValueMap{{"text", "s3cr3t"}})); }).run();
  CHECK(
      job.end().message ==
      "what it was given is refused (invalid); more is not told, because the step works with secret or masked values");
}

TEST_CASE("a secret decides neither whether a step runs nor how often", "[execution][secret]") {
  const auto later = GENERATE(
      as<std::string>{},
      "uses: file.list@1, connection: c, if: \"steps.a.output.text.startsWith('s3')\", with: {path: x}",
      "uses: file.list@1, connection: c, if: \"steps.a.output.text.startsWith('x')\", with: {path: x}",
      "uses: file.list@1, connection: c, if: \"steps.a.output.text == 's3cr3t' ? true : 1 / 0 == 1\", with: {path: x}",
      "uses: file.list@1, connection: c, if: \"steps.a.output.text == 'other' ? true : 1 / 0 == 1\", with: {path: x}",
      "uses: file.list@1, connection: c, if: \"size([steps.a.output.text.charAt(0) == 's' ? 1 : 1 / 0]) == 1\", with: "
      "{path: x}",
      "uses: file.list@1, connection: c, foreach: \"[steps.a.output.text.charAt(0) == 's' ? 1 : 1 / 0]\", with: {path: "
      "x}",
      "if: size(steps.a.output.text) > 3, stop: {status: succeeded}",
      "uses: file.list@1, connection: c, foreach: \"steps.a.output.text.split('3')\", with: {path: x}",
      "uses: file.list@1, connection: c, foreach: steps.a.output.stdout, with: {path: x}",
      "uses: file.list@1, connection: c, foreach: \"steps.a.output.text == 'x' ? [1] : [1, 2]\", with: {path: x}");
  INFO(later);
  JobScript job(
      "steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.token }}\"}}\n  - {id: b, " +
      later + "}\n");
  job.on("command.run@1", [](const RunStep& step) {
    return gives(
        Value(ValueMap{{"text", *step.arguments.find("stdin")}, {"stdout", Handle{"rows", {{"format", "csv"}}}}}));
  });
  job.run();
  CHECK(job.ran == Lines{"a#1"});
  CHECK(job.end().error_class == "invalid");
  CHECK(job.end().message.ends_with(
      ": may not depend on a secret: which steps ran, and how often, stands in the job's history"));
}

TEST_CASE("what a job says at its stop does not depend on a secret", "[execution][secret]") {
  const auto text = GENERATE(as<std::string>{}, "${{ steps.a.output.text }}", "x ${{ steps.a.output.text }}",
                             "${{ steps.a.output.text.charAt(0) == 's' ? 'x' : string(1 / 0) }}",
                             "${{ steps.a.output.text.charAt(0) == 't' ? 'x' : string(1 / 0) }}");
  JobScript job(
      "steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.token }}\"}}\n"
      "  - {id: end, stop: {status: failed, message: \"" +
      text + "\"}}\n");
  job.on("command.run@1",
         [](const RunStep& step) { return gives(Value(ValueMap{{"text", *step.arguments.find("stdin")}})); })
      .run();
  CHECK(job.end().message == "stopped by the recipe");
}

TEST_CASE("a masked value may decide, and so may the status of a step that took a secret",
          "[execution][secret][mask]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.move@1, connection: c, mask: true, with: {from: x, to: y}}
  - {id: s, uses: command.run@1, with: {template: t, stdin: "${{ secrets.token }}"}}
  - {id: b, uses: file.list@1, connection: c, if: steps.a.output.path == 'in', with: {path: x}}
  - {id: c, uses: file.list@1, connection: c, if: steps.s.status == 'succeeded', with: {path: x}}
  - {id: d, uses: file.list@1, connection: c, foreach: "${{ [steps.a.output.path] }}", with: {path: x}}
)");
  job.on("file.move@1", [](const RunStep&) { return gives(Value(ValueMap{{"path", "in"}})); });
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"a#1", "s#1", "b#1", "c#1", "d[0]#1"});
}

TEST_CASE("arguments that do not fit fail the step before it runs", "[execution][arguments]") {
  JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: \"${{ trigger.inputs }}\"}}\n");
  job.run();
  CHECK(job.end().error_class == "invalid");
  CHECK(job.ran.empty());
}

TEST_CASE("an output is the same value now and after a restart", "[execution][output]") {
  const Value output(ValueMap{{"u", std::uint64_t{5}},
                              {"list", ValueList{1, 2.0, 2.5, "x", Value(), Value(Bytes{std::byte{0xff}})}},
                              {"body", Handle{"spool", {{"name", "n"}}}}});
  const auto kept = settled(output, Label::none);
  REQUIRE(kept);
  CHECK(kept->find("u")->is(Value::Kind::int64));
  CHECK(*kept->find("list") == *output.find("list"));
  CHECK(kept->find("body")->as_handle().kind == "spool");
  const auto again = decode_outcome(StepStatus::succeeded, encode_outcome(Outcome::success(*kept)));
  REQUIRE(again);
  CHECK(again->output == *kept);
}

TEST_CASE("bytes and doubles are the same values for later steps, also after a restart", "[execution][output]") {
  JobScript job(R"(
steps:
  - {id: a, uses: sql.query@1, connection: c, with: {statement: select 1}}
  - id: b
    uses: sql.query@1
    connection: d
    foreach: ${{ steps.a.output.list }}
    with: {statement: "select id from t where b = :b and f = :f", params: "${{ item }}"}
  - id: c
    uses: log.write@1
    with: {text: "${{ size(steps.a.output.list[0].b) }} ${{ steps.a.output.list[0].f * 1.25 }}"}
)");
  const Value row(ValueMap{{"b", Value(Bytes{std::byte{0xde}, std::byte{0}})}, {"f", Value(2.0)}});
  job.on("sql.query@1", [&](const RunStep&) { return gives(Value(ValueMap{{"list", Value(ValueList{row})}})); });
  const bool crash = GENERATE(false, true);
  if (crash) {
    job.perform(job.turn());
    (void)job.turn();
    job.restart();
  }
  job.run();
  for (const auto& line : job.told()) UNSCOPED_INFO(line);
  REQUIRE(job.finished == JobStatus::succeeded);
  CHECK(*job.steps.back().arguments.find("params") == row);
  const auto told = job.told();
  CHECK(std::ranges::find(told, "log info 2 2.5") != told.end());
  CHECK(input_of(job, "b[0]").find(R"("params":{"b":{"$bytes":"3gA="},"f":2.0})") != std::string::npos);
}

TEST_CASE("an output too large for a value fails its step", "[execution][output][bounds]") {
  const auto end_with = [](std::size_t json_bytes) {
    JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n");
    job.on("file.list@1", [&](const RunStep&) { return gives(Value(std::string(json_bytes - 2, 'x'))); }).run();
    return job.end();
  };
  CHECK(kMaxOutputBytes == 256u << 10);  // docs/recipes.md, Sizes
  CHECK(end_with(kMaxOutputBytes).status == "succeeded");
  const auto end = end_with(kMaxOutputBytes + 1);
  CHECK(end.error_class == "too_large");
  CHECK(end.message.find("is 262145 bytes long as JSON, and a step gives at most 262144") != std::string::npos);
}

TEST_CASE("what a failed step can tell is its output", "[execution][output]") {
  const Value told(ValueMap{{"exit_code", 3}, {"stderr", "the reason is X"}});
  const auto failing = [](const Value& output) {
    return [output](const RunStep&) -> StepResult<Output> {
      return std::unexpected(StepError{{"exit:3", "command"}, "ended with 3", {}, output});
    };
  };
  const auto recipe = [](const std::string& more) {
    return "steps:\n  - {id: a, uses: command.run@1, with: {template: t}" + more + "}\n";
  };
  const auto output_text = [](const JobScript& job, const std::string& path) {
    for (const auto& body : job.reports) {
      const auto* end = std::get_if<report::StepFinished>(&body);
      if (end != nullptr && end->path == path) return end->output_json;
    }
    return std::string("no report");
  };
  SECTION("in its report, and named by on_failure") {
    JobScript job(recipe("") +
                  "on_failure:\n  - {id: tell, uses: log.write@1, with: {text: \"${{ "
                  "steps.a.output.stderr }}\"}}\n");
    job.on("command.run@1", failing(told)).run();
    CHECK(job.output_of("a") == told);
    CHECK(std::ranges::count(job.told(), "log info the reason is X") == 1);
  }
  SECTION("after a restart, too") {
    JobScript job(recipe(", on_failure: continue") +
                  "  - {id: w, uses: wait.for@1, with: {duration: 1s}}\n"
                  "  - {id: l, uses: log.write@1, with: {text: \"${{ string(steps.a.output.exit_code) }}\"}}\n");
    job.on("command.run@1", failing(told));
    job.perform(job.turn());
    job.turn();
    job.restart();
    job.run();
    CHECK(std::ranges::count(job.told(), "log info 3") == 1);
  }
  SECTION("of every attempt") {
    JobScript job(recipe(", retry: {max: 1, initial: 1s, on: [command]}"));
    job.on("command.run@1", failing(told)).run();
    CHECK(all_reports(job).find("the reason is X") != all_reports(job).rfind("the reason is X"));
  }
  SECTION("not of a masked step, nor of one that took a secret") {
    const char* more = GENERATE(", mask: true", "#secret");
    JobScript job(std::string(more) == "#secret"
                      ? "steps:\n  - {id: a, uses: command.run@1, with: {template: t, stdin: "
                        "\"${{ secrets.token }}\"}}\n"
                      : recipe(more));
    job.on("command.run@1", failing(told)).run();
    CHECK(output_text(job, "a").empty());
    CHECK(all_reports(job).find("reason") == std::string::npos);
  }
  SECTION("but not when it is too large") {
    JobScript job(recipe(""));
    job.on("command.run@1", failing(Value(std::string(kMaxOutputBytes + 1, 'x')))).run();
    CHECK(output_text(job, "a").empty());
    CHECK(job.end().error_class == "exit:3");
  }
  SECTION("and it is none of a loop's results") {
    JobScript job(
        "steps:\n  - {id: a, uses: command.run@1, foreach: {over: \"${{ [1] }}\", on_item_failure: continue}, "
        "with: {template: t}}\n");
    job.on("command.run@1", failing(told)).run();
    CHECK(job.output_of("a[0]") == told);
    CHECK(job.output_of("a").find("results")->as_list() == ValueList{Value()});
  }
}

TEST_CASE("outcomes survive encoding, whatever they are", "[execution][output]") {
  StepError error{{"sqlstate:40001", "transaction"}, "deadlock", "rule"};
  const Outcome failed = Outcome::failure(error);
  const auto back = decode_outcome(StepStatus::failed, encode_outcome(failed));
  REQUIRE(back);
  CHECK(back->error == error);
  CHECK_FALSE(back->doubted);
  Outcome again = failed;
  again.doubted = true;
  again.output = Value("told");
  const auto decoded = decode_outcome(StepStatus::failed, encode_outcome(again));
  CHECK(decoded->doubted);
  CHECK(decoded->output == Value("told"));
  const auto masked =
      decode_outcome(StepStatus::succeeded, encode_outcome(Outcome::success(Value(1).with_label(Label::masked))));
  CHECK(masked->output.label() == Label::masked);
  for (const char* bad : {"", "[]", "{", "1"}) CHECK_FALSE(decode_outcome(StepStatus::succeeded, bad));
  CHECK(decode_outcome(StepStatus::failed, "{}")->error->error_class() == "internal");
}

TEST_CASE("a long error message is cut where a character ends", "[execution][bounds]") {
  JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n");
  std::string text = "x";
  while (text.size() < 5'000) text += "ä";
  job.on("file.list@1", [&](const RunStep&) { return fails("connection", text); }).run();
  for (const auto& body : job.reports) {
    const auto* finished = std::get_if<report::StepFinished>(&body);
    if (finished == nullptr) continue;
    CHECK(finished->message.size() <= 4'100);
    CHECK(is_valid_utf8(finished->message));
  }
  CHECK(job.end().message.size() <= 4'100);
}

TEST_CASE("the message with which a recipe stops is cut before it is told", "[execution][bounds]") {
  JobScript job("vars: {text: " + std::string(100'000, 'x') +
                "}\nsteps:\n  - {id: end, stop: {status: failed, message: \"${{ vars.text }}\"}}\n");
  job.run();
  CHECK(job.end().error_class == "stop");
  CHECK(job.end().message.size() <= 4'100);
}

}  // namespace sallyport::execution
