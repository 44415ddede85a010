// What a failing action says may quote what it was given. Of a step with secret or masked values nothing of it is told.
#include "shared/execution/outcome.h"
#include "shared/recipe/catalogue.h"
#include "tests/unit/shared/execution/job_script.h"

namespace sallyport::execution {
using namespace test;

namespace {

constexpr const char* kCanary = "c4n4ry";

std::string everything_told(const JobScript& job) {
  std::string all;
  for (const auto& body : job.reports) {
    if (const auto* started = std::get_if<report::StepStarted>(&body)) all += started->input_json;
    if (const auto* finished = std::get_if<report::StepFinished>(&body))
      all += finished->output_json + finished->message;
    if (const auto* log = std::get_if<report::StepLog>(&body)) all += log->text;
    if (const auto* event = std::get_if<report::AgentEvent>(&body)) all += event->message;
    if (const auto* end = std::get_if<report::JobFinished>(&body)) all += end->message;
  }
  return all;
}

std::string everything_kept(JobScript& job) {
  std::string all;
  for (const auto& done : job.journal().stored().done) {
    if (done.run.path != "seen") all += done.result_json;  // what was masked is kept there, for later steps
  }
  return all;
}

StepResult<Output> quotes(const std::string& error_class) {
  return fails(error_class, std::string("opening ") + kCanary + ": refused");
}

// `@TAKES@` is how the failing step comes to work with such a value.
std::string steps_with(const std::string& takes) {
  return R"(
steps:
  - {id: seen, uses: command.run@1, mask: true, with: {template: t}}
  - id: a
    on_failure: continue
)" + takes +
         R"(
  - {id: said, uses: log.write@1, with: {text: "it says ${{ steps.a.error.message }}, class ${{ steps.a.error.class }}"}}
  - {id: end, stop: {status: failed, message: "${{ steps.a.error.message }}"}}
on_failure:
  - {id: tell, uses: log.write@1, with: {text: "${{ error.message }}"}}
)";
}

const std::vector<std::string> kTakes{
    "    uses: file.list@1\n    connection: c\n    mask: true\n    with: {path: x}\n",
    "    uses: file.list@1\n    connection: c\n    with: {path: \"in/${{ steps.seen.output.text }}\"}\n",
    "    uses: command.run@1\n    with: {template: t, stdin: \"${{ secrets.token }}\"}\n",
    "    uses: sql.query@1\n    connection: c\n    with: {statement: \"select :p\", params: {p: \"${{ secrets.token "
    "}}\"}}\n",
    "    uses: file.list@1\n    connection: c\n    foreach: \"${{ [steps.seen.output.text] }}\"\n"
    "    with: {path: \"${{ item }}\"}\n",
    "    uses: file.list@1\n    connection: c\n    mask: true\n    with: {path: x}\n    retry: {max: 2, on: [any]}\n",
};

void all_fail(JobScript& job, const std::string& error_class) {
  for (const char* uses : {"file.list@1", "command.run@1", "sql.query@1"}) {
    job.on(uses, [=](const RunStep&) { return quotes(error_class); });
  }
  job.on("command.run@1 seen", [](const RunStep&) { return gives(Value(ValueMap{{"text", kCanary}})); });
}

}  // namespace

TEST_CASE("a failure that quotes a secret or masked value is told by its class", "[execution][errors][canary]") {
  const auto takes = GENERATE(from_range(kTakes));
  const auto error_class = GENERATE(as<std::string>{}, "invalid", "not_found", "policy", "timeout", "changed");
  INFO(takes << error_class);
  JobScript job(steps_with(takes));
  all_fail(job, error_class);
  job.run();
  const std::string told = everything_told(job);
  CHECK(job.finished.has_value());
  CHECK(told.find(kCanary) == std::string::npos);
  CHECK(everything_kept(job).find(kCanary) == std::string::npos);
  CHECK(told.find("(" + error_class + ")") != std::string::npos);
  CHECK(told.find("the step works with secret or masked values") != std::string::npos);
}

TEST_CASE("so is a doubt", "[execution][errors][canary]") {
  const auto takes = GENERATE(0u, 1u);
  JobScript job(steps_with(std::vector<std::string>{
      "    uses: command.run@1\n    with: {template: t, stdin: \"${{ secrets.token }}\"}\n",
      "    uses: command.run@1\n    mask: true\n    on_in_doubt: skip\n    with: {template: t}\n"}[takes]));
  all_fail(job, "in_doubt");
  job.run();
  CHECK(everything_told(job).find(kCanary) == std::string::npos);
  CHECK(everything_kept(job).find(kCanary) == std::string::npos);
  CHECK(everything_told(job).find("nobody can know whether its effect happened") != std::string::npos);
}

TEST_CASE("and so is one that comes after a restart", "[execution][errors][canary]") {
  JobScript job(steps_with(kTakes[1]));
  all_fail(job, "not_found");
  job.perform(job.turn());
  REQUIRE(job.turn().actions.size() == 1);
  job.restart();
  job.run();
  CHECK(everything_told(job).find(kCanary) == std::string::npos);
  CHECK(everything_kept(job).find(kCanary) == std::string::npos);
}

TEST_CASE("the words of any other failure are told as they are", "[execution][errors][canary]") {
  JobScript job(steps_with("    uses: file.list@1\n    connection: c\n    with: {path: x}\n"));
  all_fail(job, "not_found");
  job.run();
  CHECK(everything_told(job).find("it says opening c4n4ry: refused, class not_found") != std::string::npos);
  CHECK(everything_kept(job).find(kCanary) != std::string::npos);
  CHECK(job.end().message == "opening c4n4ry: refused");
}

TEST_CASE("rows that cannot be read are told so too", "[execution][errors][canary]") {
  const bool masked = GENERATE(false, true);
  JobScript job("steps:\n  - {id: rows, uses: csv.read@1, mask: " + std::string(masked ? "true" : "false") +
                    ", with: {source: \"${{ trigger.file }}\"}}\n"
                    "  - {id: a, uses: file.list@1, connection: c, foreach: steps.rows.output.rows, with: {path: x}}\n",
                R"({"kind":"file.watch","file":{"$handle":"file","path":"in.csv"}})");
  job.on("csv.read@1",
         [](const RunStep&) { return gives(Value(ValueMap{{"rows", Value(Handle{"rows", {{"format", "csv"}}})}})); });
  job.perform(job.turn());
  const auto turn = job.turn();
  const auto& pull = std::get<PullItem>(turn.actions.at(0));
  job.execution().on_item(pull.path, 0, step_fail("changed", std::string("opening ") + kCanary));
  job.run();
  CHECK(job.end().error_class == "changed");
  CHECK(job.end().message.starts_with("reading item 0: "));
  CHECK((job.end().message.find(kCanary) != std::string::npos) == !masked);
}

TEST_CASE("a failure keeps its classes and the policy's rule, whatever its words become", "[execution][errors]") {
  const StepError error{{"sqlstate:23505", "constraint"}, kCanary, "policy.yaml:3 limits"};
  for (const Label label : {Label::secret, Label::masked, Label::secret | Label::masked}) {
    const auto told = tellable(error, label);
    CHECK(told.classes == error.classes);
    CHECK(told.rule == error.rule);
    CHECK(told.message ==
          "a constraint of the target refuses the data (sqlstate:23505, constraint): policy.yaml:3 limits; more is not "
          "told, because the step "
          "works with secret or masked values");
  }
  CHECK(tellable(error, Label::none) == error);
  CHECK(
      tellable({{"exit:3", "command"}, kCanary, {}}, Label::secret).message.starts_with("the command failed (exit:3"));
}

TEST_CASE("every class of errors has words of its own", "[execution][errors]") {
  for (const auto name : recipe::error_classes()) {
    INFO(name);
    const auto told = tellable({{std::string(name)}, kCanary, {}}, Label::masked);
    CHECK(told.message.starts_with("it failed") == (name == "internal"));
  }
}

}  // namespace sallyport::execution
