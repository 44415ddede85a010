#include "shared/execution/outcome.h"
#include "tests/unit/shared/execution/job_script.h"

#include <algorithm>

// What a dry run does with steps, as far as the machine decides it (docs/dry-run.md).
namespace sallyport::execution {
using namespace test;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kSteps = R"(
steps:
  - {id: rows, uses: file.list@1, connection: c, with: {path: in}}
  - {id: put, uses: file.write@1, connection: c, with: {path: out.txt, content: "${{ steps.rows.output.count }} files"}}
  - {id: say, uses: log.write@1, with: {text: "wrote ${{ steps.put.status }}"}}
)";

StepResult<Output> reads(const RunStep&) { return Output{Value(ValueMap{{"count", 3}}), Plan::ran}; }
StepResult<Output> plans(const RunStep&) { return Output{Value(), Plan::planned}; }

Lines plans_of(const JobScript& job) {
  Lines plans;
  for (const auto& body : job.reports) {
    if (const auto* finished = std::get_if<report::StepFinished>(&body))
      plans.push_back(finished->path + " " + finished->status + " " + std::string(to_string(finished->plan)));
  }
  return plans;
}

bool is_told(const JobScript& job, const std::string& line) {
  const auto told = job.told();
  return std::ranges::any_of(told, [&](const auto& one) { return one.contains(line); });
}

}  // namespace

TEST_CASE("a dry run says of each step what became of it, and hands the mode to whoever runs it", "[execution][dry]") {
  JobScript job(kSteps);
  job.dry_run().on("file.list@1", reads).on("file.write@1", plans).run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(plans_of(job) == Lines{"rows succeeded ran", "put succeeded planned", "say succeeded ran"});
  CHECK(std::ranges::all_of(job.steps, [](const auto& step) { return step.mode == Mode::dry_run; }));
  CHECK(is_told(job, "a real run would do it with the input that is shown"));
}

TEST_CASE("a real run is told nothing of plans", "[execution][dry]") {
  JobScript job(kSteps);
  job.on("file.list@1", [](const RunStep&) { return gives(Value(ValueMap{{"count", 3}})); }).run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(plans_of(job) == Lines{"rows succeeded ", "put succeeded ", "say succeeded "});
  CHECK(std::ranges::all_of(job.steps, [](const auto& step) { return step.mode == Mode::real; }));
}

TEST_CASE("whoever needs what a dry run only planned fails, and says of what", "[execution][dry]") {
  const std::string needs = GENERATE(R"(with: {text: "got ${{ steps.put.output.count }}"})",
                                     R"(if: steps.put.output.count > 3, with: {text: x})",
                                     R"(foreach: "${{ steps.put.output.files }}", with: {text: x})");
  INFO(needs);
  const bool dry = GENERATE(true, false);  // positive control: a real run has it
  JobScript job(
      "steps:\n  - {id: put, uses: file.list@1, connection: c, with: {path: a}}\n"
      "  - {id: say, uses: log.write@1, " +
      needs + "}\n");
  if (dry) job.dry_run();
  job.on("file.list@1", [&](const RunStep& step) {
    return dry ? plans(step) : gives(Value(ValueMap{{"files", ValueList{"a"}}, {"count", 4}}));
  });
  job.run();
  const auto end = job.end();
  CHECK((end.error_class == "output_unknown") == dry);
  CHECK(job.finished == (dry ? JobStatus::failed : JobStatus::succeeded));
  CHECK(end.message.contains("what step put would give is not known: a dry run only plans that step") == dry);
}

TEST_CASE("a loop over planned steps has counts and no results", "[execution][dry]") {
  const std::string named = GENERATE("count", "results[0].deleted");
  JobScript job(
      "steps:\n  - {id: put, uses: file.delete@1, connection: c, foreach: \"${{ [1, 2] }}\", with: {path: a}}\n"
      "  - {id: say, uses: log.write@1, with: {text: \"so: ${{ steps.put.output." +
      named + " }}\"}}\n");
  job.dry_run().on("file.delete@1", plans).run();
  CHECK(job.finished == (named == "count" ? JobStatus::succeeded : JobStatus::failed));
  if (named != "count") CHECK(job.end().error_class == "output_unknown");
}

TEST_CASE("a dry run does not wait", "[execution][dry]") {
  JobScript job("steps:\n  - {id: w, uses: wait.for@1, with: {duration: 5d}}\n");
  job.dry_run().run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.slept == std::chrono::milliseconds(0));
  CHECK(plans_of(job) == Lines{"w succeeded planned"});
}

TEST_CASE("a step of a dry run that was broken off is run again: it had no effect", "[execution][dry]") {
  const bool dry = GENERATE(true, false);  // positive control: a real one is in doubt
  JobScript job("steps:\n  - {id: a, uses: command.run@1, with: {template: t}}\n");
  if (dry) job.dry_run();
  job.on("command.run@1", plans);
  const Turn turn = job.turn();  // recorded and handed out, and then the process ends
  REQUIRE(turn.actions.size() == 1);
  job.restart();
  job.run();
  CHECK(job.finished == (dry ? JobStatus::succeeded : JobStatus::in_doubt));
}

TEST_CASE("what a dry run planned stays unknown after a restart, and with another agent", "[execution][dry]") {
  const bool elsewhere = GENERATE(false, true);
  JobScript job(
      "steps:\n  - {id: put, uses: file.delete@1, connection: c, with: {path: a}}\n"
      "  - {id: next, uses: file.list@1, connection: c, with: {path: in}}\n"
      "  - {id: say, uses: log.write@1, with: {text: \"so: ${{ steps.put.output.deleted }}\"}}\n");
  job.dry_run().on("file.delete@1", plans).on("file.list@1", reads);
  job.perform(job.turn());
  REQUIRE(job.ran == Lines{"put#1"});
  (void)job.turn();  // the end of `put` is remembered, `next` begins
  auto& done = job.journal().stored().done;
  REQUIRE(done.size() == 1);
  if (elsewhere) done.front().result_json = outcome_from_relay("", "planned");
  job.restart();
  job.run();
  CHECK(job.end().error_class == "output_unknown");
  CHECK(std::ranges::count(job.ran, "put#1") == 1);
}

TEST_CASE("the results of a planned loop stay unknown with another agent, and its counts known", "[execution][dry]") {
  const std::string named = GENERATE("count", "results[0].deleted");
  JobScript job(
      "steps:\n  - {id: put, uses: file.delete@1, connection: c, foreach: \"${{ [1, 2] }}\", with: {path: a}}\n"
      "  - {id: next, uses: file.list@1, connection: c, with: {path: in}}\n"
      "  - {id: say, uses: log.write@1, with: {text: \"so: ${{ steps.put.output." +
      named + " }}\"}}\n");
  job.dry_run().on("file.delete@1", plans).on("file.list@1", reads);
  while (std::ranges::count(job.ran, "next#1") == 0) job.perform(job.turn());
  std::string told;
  for (const auto& body : job.reports) {
    const auto* end = std::get_if<report::StepFinished>(&body);
    if (end != nullptr && end->path == "put" && end->plan == Plan::planned) told = end->output_json;
  }
  REQUIRE(told.starts_with('{'));
  for (auto& done : job.journal().stored().done) {
    if (done.run.path == "put" && done.run.item == kNoItem) done.result_json = outcome_from_relay(told, "planned");
  }
  job.restart();
  job.run();
  CHECK(job.finished == (named == "count" ? JobStatus::succeeded : JobStatus::failed));
  if (named != "count") CHECK(job.end().error_class == "output_unknown");
}

TEST_CASE("a plan that was recorded comes back, and a word that is none does not", "[execution][dry]") {
  Outcome outcome = Outcome::success(Value());
  outcome.plan = Plan::planned;
  outcome.unknown = Unknown::results;
  const auto back = decode_outcome(StepStatus::succeeded, encode_outcome(outcome));
  REQUIRE(back);
  CHECK(back->plan == Plan::planned);
  CHECK(back->unknown == Unknown::results);
  CHECK(decode_outcome(StepStatus::succeeded, R"({"output":null,"unknown":99})")->unknown == Unknown::everything);
  CHECK(decode_outcome(StepStatus::succeeded, outcome_from_relay("{}", "else"))->plan == Plan::none);
  CHECK(bare(outcome).unknown == Unknown::results);
}

}  // namespace sallyport::execution
