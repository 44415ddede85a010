#include "relay/cli/recipe_test.h"

#include "relay/cli/fixture_file.h"
#include "relay/cli/fixtures/rehearsal.h"
#include "relay/cli/fixtures/verdict.h"
#include "relay/cli/recipe_file.h"
#include "relay/cli/recipe_record.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMostShown = 400;  // bytes of a value
const std::vector<Column> kCaseColumns{
    {"FILE", "file"}, {"CASE", "case"}, {"RESULT", "result"}, {"STATE", "state"}, {"STEPS", "ran"}};

Value value_of(const fixtures::Failure& failure, const std::string& file) {
  return Value(ValueMap{{Value("file"), Value(file)},
                        {Value("line"), Value(failure.at.line)},
                        {Value("column"), Value(failure.at.column)},
                        {Value("message"), Value(failure.what)},
                        {Value("expected"), Value(failure.expected)},
                        {Value("got"), Value(failure.got)}});
}

Value value_of(const fixtures::Rehearsed& happened) {
  ValueList steps;
  for (const auto& path : happened.order) {
    const auto& end = happened.steps.at(path);
    steps.emplace_back(ValueMap{{Value("path"), Value(path)},
                                {Value("status"), Value(end.status)},
                                {Value("attempts"), Value(end.attempts)},
                                {Value("error_class"), Value(end.error_class)}});
  }
  return Value(std::move(steps));
}

std::string text_of(const fixtures::Failure& failure, const FixtureFile& from) {
  auto text = fmt::format("{}:{}:{}: {}", from.fixture.file, failure.at.line, failure.at.column, failure.what);
  if (!failure.expected.empty()) {
    text += fmt::format("\n  expected  {}\n  got       {}", shortened(failure.expected, kMostShown),
                        shortened(failure.got, kMostShown));
  }
  return terminal_safe_lines(text) + pointed_at(from.text, failure.at) + "\n";
}

// Runs cases and keeps what is to be told of them.
class TestRun {
 public:
  explicit TestRun(recipe::Recipe recipe) : recipe_(std::make_shared<const recipe::Recipe>(std::move(recipe))) {}

  void run(const FixtureFile& file) {
    for (const auto& one : file.fixture.cases) run_case(file, one);
  }

  bool passed() const { return failed_ == 0; }
  Value value() const {
    return Value(ValueMap{{Value("passed"), Value(static_cast<std::int64_t>(rows_.size() - failed_))},
                          {Value("failed"), Value(static_cast<std::int64_t>(failed_))},
                          {Value("cases"), Value(rows_)}});
  }
  std::string text() const {
    return fmt::format("{}{}\n{} of {} cases passed\n", table_of(rows_, kCaseColumns), troubles_,
                       rows_.size() - failed_, rows_.size());
  }

 private:
  void run_case(const FixtureFile& file, const fixtures::Case& one) {
    const auto happened = fixtures::rehearse(recipe_, one);
    const auto failures = fixtures::judge(one, happened);
    ValueList told;
    for (const auto& failure : failures) {
      told.push_back(value_of(failure, file.fixture.file));
      troubles_ += "\n" + text_of(failure, file);
    }
    failed_ += failures.empty() ? 0 : 1;
    rows_.emplace_back(ValueMap{{Value("file"), Value(file.fixture.file)},
                                {Value("case"), Value(one.name)},
                                {Value("result"), Value(failures.empty() ? "passed" : "failed")},
                                {Value("state"), happened.state ? Value(*happened.state) : Value()},
                                {Value("ran"), Value(static_cast<std::int64_t>(happened.order.size()))},
                                {Value("steps"), value_of(happened)},
                                {Value("failures"), Value(std::move(told))}});
  }

  std::shared_ptr<const recipe::Recipe> recipe_;
  ValueList rows_;
  std::size_t failed_ = 0;
  std::string troubles_;
};

Result<bool> run_tests(Context& context, const Arguments& arguments) {
  SP_TRY(auto file, load_recipe_file(context, std::string(arguments.positional(0))));
  const auto beside = fixture_beside(std::string(arguments.positional(0)));
  SP_TRY(const auto files, fixture_files(arguments.get("fixtures", beside)));
  std::vector<FixtureFile> loaded;
  for (const auto& path : files) {
    SP_TRY(auto one, load_fixture(context, file.recipe, path));
    loaded.push_back(std::move(one));
  }
  TestRun run(std::move(file.recipe));
  for (const auto& one : loaded) run.run(one);
  context.show(run.value(), run.text());
  return run.passed();
}

int test(Context& context, const Arguments& arguments) {
  if (arguments.has("record")) return record_job(context, arguments);
  const auto passed = run_tests(context, arguments);
  if (!passed) return context.fail_with(passed.error());
  return *passed ? kDone : kFailed;
}

Result<void> check(const Arguments& arguments) {
  if (arguments.has("record") && arguments.has("fixtures"))
    return fail(Errc::invalid, "--record writes a fixture to standard output: it takes no --fixtures");
  const bool both =
      arguments.positional(0) == "-" && (arguments.get("fixtures", "-") == "-" && !arguments.has("record"));
  if (both) return fail(Errc::invalid, "the recipe comes from standard input: name its fixtures with --fixtures FILE");
  return {};
}

}  // namespace

Command recipe_test_command() {
  return {
      "recipes",
      "test",
      {"FILE"},
      {{"fixtures", "FILE", "a fixture, or a folder of *.test.yaml (default: beside the recipe, NAME.test.yaml)"},
       {"record", "JOB", "print a fixture made of this job's history instead, to begin with"}},
      "run a recipe offline against recorded answers, with the agent's own core",
      test,
      check,
      "A fixture has cases: what starts the job, what each step gives, and what is expected. No connector runs and no\n"
      "relay is asked (but with --record). docs/testing-recipes.md says how to write one. Exit code 1: a case failed."};
}

}  // namespace sallyport::cli
