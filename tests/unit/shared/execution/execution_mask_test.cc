#include "shared/execution/outcome.h"
#include "tests/unit/shared/execution/job_script.h"

#include <algorithm>

// Masks of a step's parts, and what becomes of what is masked when the process is gone.
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

std::string shown_output(const JobScript& job, const std::string& path) {
  for (const auto& body : job.reports) {
    const auto* finished = std::get_if<report::StepFinished>(&body);
    if (finished != nullptr && finished->path == path) return finished->output_json;
  }
  return "nothing";
}

std::string everything_reported(const JobScript& job) {
  std::string all;
  for (const auto& body : job.reports) {
    if (const auto* started = std::get_if<report::StepStarted>(&body)) all += started->input_json;
    if (const auto* finished = std::get_if<report::StepFinished>(&body))
      all += finished->output_json + finished->message;
    if (const auto* log = std::get_if<report::StepLog>(&body)) all += log->text;
    if (const auto* end = std::get_if<report::JobFinished>(&body)) all += end->message;
  }
  return all;
}

std::string everything_journaled(JobScript& job) {
  std::string all;
  for (const auto& done : job.journal().stored().done) all += done.result_json;
  return all;
}

Value entry(std::string_view name, std::string_view mail) {
  return Value(ValueMap{{"name", Value(name)}, {"mail", Value(mail)}});
}

constexpr const char* kPeople = R"(
steps:
  - {id: a, uses: command.run@1, mask: [input.params.card, output.text], with: {template: t, params: {card: canary-1, day: monday}}}
  - {id: w, uses: wait.for@1, with: {duration: 1m}}
  - {id: b, uses: log.write@1, with: {text: "${{ steps.a.output.stderr }}"}}
  - {id: c, uses: log.write@1, with: {text: "got ${{ steps.a.output.text }}"}}
  - {id: d, uses: command.run@1, with: {template: t, params: {p: "${{ steps.a.output.text }}"}}}
)";

Value told_people() { return Value(ValueMap{{"exit_code", 0}, {"text", "canary-2"}, {"stderr", "warned"}}); }

}  // namespace

TEST_CASE("paths of a mask hide their parts, taint follows them, and the rest is shown", "[execution][mask]") {
  JobScript job(kPeople);
  job.on("command.run@1", [](const RunStep&) { return gives(told_people()); }).run();
  REQUIRE(job.finished == JobStatus::succeeded);
  CHECK(input_of(job, "a") == R"({"params":{"card":"***","day":"monday"},"template":"t"})");
  CHECK(shown_output(job, "a") == R"({"exit_code":0,"stderr":"warned","text":"***"})");
  CHECK(input_of(job, "b") == R"({"level":"info","text":"warned"})");
  CHECK(input_of(job, "c") == R"("***")");
  CHECK(input_of(job, "d") == R"({"params":{"p":"***"},"template":"t"})");
  CHECK(shown_output(job, "d") == R"("***")");  // made of what is masked
  CHECK(job.steps.back().arguments.find("params")->find("p")->as_string() == "canary-2");
  CHECK(everything_reported(job).find("canary") == std::string::npos);
}

TEST_CASE("what is masked is not in the journal; whoever needs it after a crash fails and says why",
          "[execution][mask]") {
  JobScript job(kPeople);
  job.on("command.run@1", [](const RunStep&) { return gives(told_people()); });
  job.perform(job.turn());
  (void)job.turn();
  CHECK(everything_journaled(job).find("warned") != std::string::npos);  // the search sees what is not masked
  CHECK(everything_journaled(job).find("canary") == std::string::npos);
  job.restart();
  job.run();
  CHECK(job.ran == Lines{"a#1"});
  CHECK(job.finished == JobStatus::failed);
  CHECK(job.end().error_class == "output_lost");
  CHECK(job.end().failed_step == "c");  // b names what is not masked, and ran
  CHECK(job.end().message.find("what step a gave is masked") != std::string::npos);
}

TEST_CASE("a step that only reads is run again for what was masked", "[execution][mask]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.list@1, connection: c, mask: true, with: {path: x}}
  - {id: w, uses: wait.for@1, with: {duration: 1m}}
  - {id: b, uses: command.run@1, with: {template: t, params: {n: "${{ steps.a.output.count }}"}}}
)");
  job.on("file.list@1", [](const RunStep&) { return gives(Value(ValueMap{{"count", 7}})); });
  job.perform(job.turn());
  (void)job.turn();
  job.restart();
  const bool twice = GENERATE(false, true);
  if (twice) {
    job.perform(job.turn());
    (void)job.turn();
    job.restart();
  }
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == (twice ? Lines{"a#1", "a#2", "a#3", "b#1"} : Lines{"a#1", "a#2", "b#1"}));
  CHECK(job.steps.back().arguments.find("params")->find("n")->as_int() == 7);
}

TEST_CASE("a step whose masked output nobody names is not run again", "[execution][mask]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.list@1, connection: c, mask: true, with: {path: x}}
  - {id: w, uses: wait.for@1, with: {duration: 1m}}
  - {id: b, uses: file.list@1, connection: c, if: steps.a.status == 'succeeded', with: {path: x}}
)");
  job.perform(job.turn());
  (void)job.turn();
  job.restart();
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"a#1", "b#1"});
}

TEST_CASE("what another holder of the job told is without what is masked", "[execution][mask]") {
  JobScript job(kPeople);
  auto& stored = job.journal().stored();
  stored.done.push_back({{"a", kNoItem, 1},
                         StepStatus::succeeded,
                         job.now().wall,
                         std::nullopt,
                         outcome_from_relay(R"({"exit_code":0,"stderr":"warned","text":"***"})", "")});
  job.restart();
  job.run();
  CHECK(job.end().error_class == "output_lost");
  CHECK(job.end().failed_step == "c");
  CHECK(everything_reported(job).find("got") == std::string::npos);
}

TEST_CASE("paths of a mask go into what each item of a foreach gives", "[execution][mask][foreach]") {
  JobScript job(R"(
steps:
  - {id: a, uses: file.list@1, connection: c, mask: [output.files.mail], foreach: {over: "[1, 2]", concurrency: 2}, with: {path: x}}
  - {id: w, uses: wait.for@1, with: {duration: 1m}}
  - {id: b, uses: log.write@1, with: {text: "${{ steps.a.output.results[0].files[0].name }}"}}
  - {id: c, uses: log.write@1, with: {text: "${{ steps.a.output.results[1].files[1].mail }}"}}
)");
  job.on("file.list@1", [](const RunStep&) {
    return gives(Value(ValueMap{{"files", ValueList{entry("ann", "canary-1"), entry("bob", "canary-2")}}}));
  });
  SECTION("shown and carried") {
    job.run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(shown_output(job, "a[1]") == R"({"files":[{"mail":"***","name":"ann"},{"mail":"***","name":"bob"}]})");
    CHECK(shown_output(job, "a").find(R"("count":2)") != std::string::npos);
    CHECK(input_of(job, "b") == R"({"level":"info","text":"ann"})");
    CHECK(input_of(job, "c") == R"("***")");
  }
  SECTION("lost with the process, and the results with it") {
    job.perform(job.turn());
    (void)job.turn();
    job.restart();
    job.run();
    CHECK(job.end().error_class == "output_lost");
    CHECK(job.end().failed_step == "b");
  }
  CHECK(everything_reported(job).find("canary") == std::string::npos);
  CHECK(everything_journaled(job).find("canary") == std::string::npos);
}

TEST_CASE("a failure of a step that masks a part tells its class only", "[execution][mask]") {
  const char* mask = GENERATE("[input.path]", "[output.files.name]", "true");
  JobScript job("steps:\n  - {id: a, uses: file.list@1, connection: c, mask: " + std::string(mask) +
                ", with: {path: canary-in}}\n");
  job.on("file.list@1", [](const RunStep&) { return fails("not_found", "no canary-in here"); }).run();
  CHECK(job.end().error_class == "not_found");
  CHECK(job.end().message.find("canary") == std::string::npos);
}

TEST_CASE("what is masked of a trigger and of inputs is carried and not shown", "[execution][mask][trigger]") {
  const char* masks = GENERATE("card: {type: text, mask: true}", "card: {type: text}");
  const bool by_input = std::string_view(masks).find("mask") != std::string_view::npos;
  JobScript job("inputs: {" + std::string(masks) + ", day: {type: text}}\n" +
                    "steps:\n"
                    "  - {id: a, uses: log.write@1, with: {text: \"${{ inputs.card }}\"}}\n"
                    "  - {id: b, uses: log.write@1, with: {text: \"${{ trigger.inputs.card }}\"}}\n"
                    "  - {id: c, uses: log.write@1, with: {text: \"${{ inputs.day }}\"}}\n"
                    "  - {id: d, uses: command.run@1, with: {template: t, params: {p: \"${{ inputs.card }}\"}}}\n",
                R"({"kind":"manual","inputs":{"card":"canary","day":"friday"}})");
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.steps.back().arguments.find("params")->find("p")->as_string() == "canary");
  CHECK(input_of(job, "c") == R"({"level":"info","text":"friday"})");
  CHECK((everything_reported(job).find("canary") == std::string::npos) == by_input);  // unmasked: it is found
}

}  // namespace sallyport::execution
