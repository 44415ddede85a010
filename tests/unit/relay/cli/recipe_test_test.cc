#include "relay/cli/commands.h"
#include "shared/base/json.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <filesystem>

// `sallyport recipe test`: offline, so the environment is empty and no relay runs, but where a job is recorded.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

const char* const kRecipe = R"(recipe: tidy
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: drop, uses: file.delete@1, connection: share, with: {path: old.csv}}
)";
const char* const kGood = "recipe: tidy\ncases:\n  - {case: it works, steps: {drop: {output: {}}}}\n";
const char* const kBad =
    "recipe: tidy\ncases:\n  - case: it fails\n    steps: {drop: {error: {class: permission}}}\n"
    "    expect: {steps: {drop: {with: {path: new.csv}}}}\n";

const std::string kJob = "job_01J9Z3ZZZZZZZZZZZZZZZZZZZZ";

struct Desk {
  TempDir folder;
  std::string recipe = folder.write("tidy.yaml", kRecipe);

  Ran test(std::vector<std::string> options = {}, std::string in = "") const {
    std::vector<std::string> words{"recipe", "test", recipe};
    words.insert(words.end(), options.begin(), options.end());
    return run_cli(words, {.in = std::move(in), .environment = {}, .tune = {}});
  }
};

}  // namespace

TEST_CASE("the example's recipe passes its cases, without a relay", "[cli][recipe-test]") {
  const auto ran = run_cli({"recipe", "test", "examples/orders-to-erp/recipe.yaml"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == kDone);
  CHECK_THAT(ran.out, Catch::EndsWith("2 of 2 cases passed\n"));
}

TEST_CASE("cases that pass are exit code 0, one that fails is 1 and says where and why", "[cli][recipe-test]") {
  Desk desk;
  const auto fixture = desk.folder.write("tidy.test.yaml", kGood);
  const auto passed = desk.test();
  INFO(passed.err);
  CHECK(passed.code == kDone);
  CHECK_THAT(passed.out, Catch::Contains("it works  passed  succeeded  1") && Catch::EndsWith("1 of 1 cases passed\n"));

  const auto bad = desk.folder.write("bad.test.yaml", kBad);
  const auto failed = desk.test({"--fixtures", bad});
  CHECK(failed.code == kFailed);
  CHECK_THAT(failed.out, Catch::Contains(bad + ":5:42: step `drop`: `with.path` is another one\n"
                                               "  expected  \"new.csv\"\n"
                                               "  got       \"old.csv\"\n"
                                               "      expect: {steps: {drop: {with: {path: new.csv}}}}\n"
                                               "                                           ^\n"));
  CHECK_THAT(failed.out, Catch::Contains("the job's state") && Catch::EndsWith("0 of 1 cases passed\n"));

  const auto both = desk.test({"--fixtures", desk.folder.path(""), "-o", "json"});
  CHECK(both.code == kFailed);
  const auto told = parse_json(both.out);
  REQUIRE(told);
  CHECK(told->find("passed")->as_int() == 1);
  const auto& first = told->find("cases")->as_list().at(0);
  CHECK(first.find("file")->as_string() == bad);
  CHECK(first.find("failures")->as_list().at(1).find("got")->as_string() == "\"old.csv\"");
  CHECK(first.find("steps")->as_list().at(0).find("error_class")->as_string() == "permission");
}

TEST_CASE("a fixture comes from standard input, too", "[cli][recipe-test]") {
  Desk desk;
  CHECK(desk.test({"--fixtures", "-"}, kGood).code == kDone);
}

TEST_CASE("what is wrong with a recipe or a fixture is told with line, column and caret", "[cli][recipe-test]") {
  Desk desk;
  const auto absent = desk.test();
  CHECK(absent.code == kFailed);
  CHECK_THAT(absent.err, Catch::Contains("tidy.test.yaml: No such file or directory"));
  const auto wrong = desk.folder.write("wrong.yaml", "recipe: tidy\ncases:\n\t- x\n");
  CHECK_THAT(desk.test({"--fixtures", wrong}).err, Catch::Contains(wrong + ":3:1: "));
  const auto typo = desk.folder.write("typo.yaml", "recipe: tidy\ncases:\n  - {case: a, stepz: {}}\n");
  const auto ran = desk.test({"--fixtures", typo});
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains(typo + ":3:15: unknown key `stepz`") &&
                          Catch::Contains("\n    - {case: a, stepz: {}}\n                ^\n"));
  desk.folder.write("tidy.yaml", "recipe: tidy\nrun_onn: dc1\n");
  CHECK_THAT(desk.test().err, Catch::Contains("tidy.yaml:2:1"));
  std::filesystem::create_directory(desk.folder.path("empty"));
  CHECK_THAT(desk.test({"--fixtures", desk.folder.path("empty")}).err, Catch::Contains("tidy.yaml"));
}

TEST_CASE("a folder without fixtures is not a success", "[cli][recipe-test]") {
  Desk desk;
  std::filesystem::create_directory(desk.folder.path("empty"));
  const auto ran = desk.test({"--fixtures", desk.folder.path("empty")});
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains("no file in it ends in .test.yaml"));
}

TEST_CASE("items may stand in a file below the fixture's folder, and nowhere else", "[cli][recipe-test]") {
  Desk desk;
  desk.folder.write("tidy.yaml", R"(recipe: tidy
run_on: dc1
trigger: {uses: file.watch@1, connection: share, with: {path: in}}
steps:
  - {id: rows, uses: csv.read@1, with: {source: "${{ trigger.file }}"}}
  - {id: drop, uses: file.delete@1, connection: share, foreach: "${{ steps.rows.output.rows }}", with: {path: "${{ item.path }}"}}
)");
  desk.folder.write("rows.ndjson", "{\"path\": \"a\"}\n{\"path\": \"b\"}\n");
  const auto with_items = [&](const std::string& file) {
    return fmt::format(
        "recipe: tidy\ncases:\n  - case: a\n    trigger: {{file: {{$handle: file}}}}\n    steps: {{rows: {{output: "
        "{{rows: {{$handle: rows}}}}}}, drop: {{items: {{file: {}}}, output: {{}}}}}}\n"
        "    expect: {{steps: {{\"drop[1]\": {{with: {{path: b}}}}}}}}\n",
        file);
  };
  const auto fixture = desk.folder.write("f.yaml", with_items("rows.ndjson"));
  const auto ran = desk.test({"--fixtures", fixture});
  INFO(ran.out << ran.err);
  CHECK(ran.code == kDone);
  for (const std::string outside : {"../rows.ndjson", "x/../../rows.ndjson", "/etc/passwd", "\"\""}) {
    desk.folder.write("f.yaml", with_items(outside));
    CHECK_THAT(desk.test({"--fixtures", fixture}).err,
               Catch::Contains("must be a path beside the fixture or below it"));
  }
}

TEST_CASE("words that do not go together are wrong usage", "[cli][recipe-test]") {
  CHECK(run_cli({"recipe", "test"}).code == kUsage);
  CHECK(run_cli({"recipe", "test", "-"}).code == kUsage);
  CHECK(run_cli({"recipe", "test", "a.yaml", "--record", "job_1", "--fixtures", "b"}).code == kUsage);
}

namespace {

// A relay that has one job of the recipe `tidy`: it deleted old.csv.
struct JobOfTidy {
  std::string state = "succeeded", name = "tidy";
  ScriptedRelay relay{[this](const ScriptedRelay::Asked& call, std::size_t) { return answer(call.path); }};

  Ran run(std::vector<std::string> words) const { return run_cli(words, relay.surroundings()); }

 private:
  http::Reply answer(const std::string& path) const {
    if (path.find("/steps") != std::string::npos) {
      return text_reply(
          200,
          R"({"items":[{"path":"drop","attempt":1,"status":"succeeded","uses":"file.delete@1","input":{"path":"old.csv"},"output":{"at":{"$handle":"spool","name":"s"}}}],"next":null})");
    }
    if (path.find("/trigger") != std::string::npos) return text_reply(409, R"({"title":"gone","detail":"expired"})");
    return text_reply(
        200, fmt::format(R"({{"id":"{}","state":"{}","recipe_name":"{}","started_at":null,"error":null}})", kJob, state,
                         name));
  }
};

}  // namespace

TEST_CASE("a job that an agent has ended is recorded as a fixture, and the fixture runs", "[cli][recipe-test]") {
  Desk desk;
  JobOfTidy job;
  const auto record = [&] { return job.run({"recipe", "test", desk.recipe, "--record", kJob}); };
  const auto made = record();
  INFO(made.out << made.err);
  CHECK(made.code == kDone);
  CHECK_THAT(made.out, Catch::StartsWith("# what started the job is not kept: write `trigger` or `inputs`\n"));
  const auto ran = desk.test({"--fixtures", "-"}, made.out);
  INFO(ran.out << ran.err);
  CHECK(ran.code == kDone);
  job.state = "running";
  CHECK_THAT(record().err,
             Catch::Contains("is running: a fixture is made of a job that an agent has brought to its end"));
  job.state = "failed", job.name = "other";
  CHECK_THAT(record().err, Catch::Contains("is a job of the recipe other, not of tidy"));
}

TEST_CASE("a recipe is compared with what a past job did", "[cli][recipe-test][replay]") {
  Desk desk;
  JobOfTidy job;
  const auto replay = [&](const std::string& steps) {
    desk.folder.write("tidy.yaml", "recipe: tidy\nrun_on: dc1\ntrigger: {uses: manual@1}\nsteps:\n" + steps);
    return job.run({"recipe", "replay", desk.recipe, kJob});
  };
  const std::string note = "note: what started the job is not kept: write `trigger` or `inputs`\n";
  const auto drop = [](const std::string& path) {
    return "  - {id: drop, uses: file.delete@1, connection: share, with: {path: " + path + "}}\n";
  };
  const auto same = replay(drop("old.csv"));
  INFO(same.err);
  CHECK(same.code == kDone);
  CHECK(same.out == kJob + ": no difference\n" + note);

  const auto other = replay(drop("new.csv") + "  - {id: say, uses: log.write@1, with: {text: x}}\n");
  CHECK(other.code == kFailed);
  CHECK(other.out ==
        "step `drop`: `with.path` is another one\n  job  \"old.csv\"\n  now  \"new.csv\"\n"
        "step `say`: its status\n  job  \"not_run\"\n  now  \"succeeded\"\n" +
            kJob + ": 2 differences\n" + note);

  const auto unknown =
      replay("  - {id: look, uses: file.list@1, connection: share, with: {path: x}}\n" + drop("old.csv"));
  CHECK(unknown.code == kFailed);
  CHECK(unknown.out ==
        "step `look` (file.list@1) has no answer: the job does not tell, and so nothing after it is known\n" + kJob +
            ": 1 difference\n" + note);
  const auto gone = replay("  - {id: say, uses: log.write@1, with: {text: x}}\n");
  CHECK_THAT(gone.out, Catch::Contains("note: the job has a step `drop`, and the recipe has none\n"));
}
