#include "shared/recipe/loader.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <ctime>

using namespace sallyport;
using namespace sallyport::recipe;

namespace {

struct Case {
  std::string_view text;
  std::string_view problem;  // without the file's name
};

std::string problems_of(std::string_view text, const LoadOptions& options = {.file = "r"}) {
  const auto made = load_recipe(text, options);
  if (made) return "no problem";
  std::string out;
  for (const auto& problem : made.error()) out += (out.empty() ? "" : "\n") + yaml::to_string(problem);
  return out;
}

// Lines 1 to 6 are the head of recipe_with_steps().
void check_steps(std::initializer_list<Case> cases) {
  for (const auto& [steps, problem] : cases) {
    INFO(steps);
    CHECK(problems_of(test::recipe_with_steps(steps)) ==
          (problem.empty() ? "no problem" : "r:" + std::string(problem)));
  }
}

constexpr std::string_view kSteps = "steps: [{id: a, uses: log.write@1, with: {text: x}}]\n";

}  // namespace

TEST_CASE("problems of a recipe's head", "[recipe][rules]") {
  const Case cases[] = {
      {"[1]\n", "1:1: a recipe must be a mapping, not a list [wrong-type]"},
      {"recipe: r\nrun_on: g\ntrigger: {uses: manual@1}\n", "1:1: a recipe needs `steps` [missing-field]"},
      {"recipe: r\nrun_on: g\ntrigger: {uses: manual@1}\nsteps: []\n",
       "4:8: a recipe needs at least one step [missing-field]"},
      {"recipe: R\nrun_on: g\ntrigger: {uses: manual@1}\n",
       "1:1: a recipe needs `steps` [missing-field]\nr:1:9: `recipe` must be 1 to 63 of a-z, 0-9 and `-`, beginning "
       "with a "
       "letter [bad-name]"},
      {"recipe: 12\nrun_on: g\ntrigger: {uses: manual@1}\n",
       "1:1: a recipe needs `steps` [missing-field]\nr:1:9: `recipe` must be text, not an integer: put it in quotes "
       "[wrong-type]"},
  };
  for (const auto& [text, problem] : cases) {
    INFO(text);
    CHECK(problems_of(text) == "r:" + std::string(problem));
  }
}

TEST_CASE("problems of a recipe's settings", "[recipe][rules]") {
  const Case cases[] = {
      {"timout: 5s", "5:1: unknown key `timout` (did you mean `timeout`?) [unknown-key]"},
      {"timeout: 5", "5:10: `timeout` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d` [bad-duration]"},
      {"timeout: 5ms", "5:10: `timeout` must be from 1s to 30d [out-of-range]"},
      {"timeout: 31d", "5:10: `timeout` must be from 1s to 30d [out-of-range]"},
      {"priority: 10", "5:11: `priority` must be from 0 to 9 [out-of-range]"},
      {"priority: high", "5:11: `priority` must be an integer, not text [wrong-type]"},
      {"retention: {payload: 5m}", "5:22: `payload` must be from 1h to 3650d [out-of-range]"},
      {"retention: {payload: None}",
       "5:22: `payload` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d` [bad-duration]"},
      {"retention: {payload: never}",
       "5:22: `payload` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d` [bad-duration]"},
      {"retention: {logs: none}",
       "5:19: `logs` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d` [bad-duration]"},
      {"retention: {archive: 5m}", "5:22: `archive` must be from 1h to 3650d [out-of-range]"},
      {"retention: {payload: none, archive: 30d}",
       "5:37: nothing is archived of jobs with `payload: none` [conflicting-keys]"},
      {"retention: 14d", "5:12: `retention` must be a mapping, not text [wrong-type]"},
      {"concurrency: {limit: 0}", "5:22: `limit` must be from 1 to 1000 [out-of-range]"},
      {"concurrency: {on_conflict: wait}", "5:28: `on_conflict` must be one of queue, skip [bad-choice]"},
      {"concurrency: {key: \"${{ steps.a.output }}\"}", "5:25: `steps` can be used only in steps [unknown-name]"},
      {"concurrency: {key: \"${{ secrets.k }}\"}",
       "5:25: `secrets` can be used only in fields that accept a secret [secret-sink]"},
      {"inputs: {x: {type: number, default: a}}", "5:37: `default` must be of the type number [wrong-type]"},
      {"inputs: {x: {type: text, required: true, default: a}}",
       "5:51: an input that is required has no default [conflicting-keys]"},
      {"inputs: {X: {type: text}}",
       "5:10: the name of an input must be 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter [bad-name]"},
      {"inputs: {x: {type: string}}",
       "5:20: `type` must be one of text, integer, number, boolean, list, map, any [bad-choice]"},
      {"inputs: {x: {}}", "5:13: an input needs `type` [missing-field]"},
      {"vars: {a: [{b: \"x ${{ inputs.y }}\"}]}", "5:19: `vars` must be literal: no `${{ }}` here [literal-only]"},
      {"vars: {\"a b\": 1}",
       "5:8: the name of a var must be 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter [bad-name]"},
      {"on_failure: tell", "5:13: `on_failure` must be a list, not text [wrong-type]"},
  };
  for (const auto& [line, problem] : cases) {
    INFO(line);
    const auto text = fmt::format("recipe: r\nrun_on: g\ntrigger: {{uses: manual@1}}\n{}{}\n", kSteps, line);
    CHECK(problems_of(text) == "r:" + std::string(problem));
  }
}

TEST_CASE("problems of a trigger", "[recipe][rules]") {
  const Case cases[] = {
      {"{}", "3:10: `trigger` needs `uses` [missing-field]"},
      {"{uses: file.watsch@1}",
       "3:17: unknown trigger `file.watsch@1` (did you mean `file.watch@1`?) [unknown-trigger]"},
      {"{uses: manual@2}", "3:17: unknown trigger `manual@2` (did you mean `manual@1`?) [unknown-trigger]"},
      {"{uses: manual@1, connection: db}", "3:39: `manual@1` takes no connection [wrong-connection]"},
      {"{uses: manual@1, with: {x: 1}}", "3:34: unknown field `x`: `manual@1` has none [unknown-field]"},
      {"{uses: file.watch@1, with: {path: in}}",
       "3:10: `file.watch@1` needs `connection`, of the kind file [missing-connection]"},
      {"{uses: file.watch@1, connection: Share, with: {path: in}}",
       "3:43: `connection` must be 1 to 63 of a-z, 0-9 and `-`, beginning with a letter [bad-name]"},
      {"{uses: file.watch@1, connection: s, with: {patern: a}}",
       "3:52: `file.watch@1` needs `path` [missing-field]\nr:3:53: unknown field `patern` (did you mean `pattern`?) "
       "[unknown-field]"},
      {"{uses: file.watch@1, connection: s, with: {path: in, pattern: \"[a\"}}",
       "3:72: `pattern`: `[` without `]` [bad-glob]"},
      {"{uses: file.watch@1, connection: s, with: {path: in, pattern: \"a/*\"}}",
       "3:72: `pattern`: a pattern is for file names: the directory goes into `path` [bad-glob]"},
      {"{uses: file.watch@1, connection: s, with: {path: in, settle: 5}}",
       "3:71: `settle` must be a duration, not an integer [wrong-type]"},
      {"{uses: file.watch@1, connection: s, with: {path: in, settle: 5 s}}",
       "3:71: `settle` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d` [bad-duration]"},
      {"{uses: file.watch@1, connection: s, with: {path: in, settle: 2d}}",
       "3:71: `settle` must be from 0s to 1d [out-of-range]"},
      {"{uses: file.watch@1, connection: s, with: {path: \"x${{ vars.v }}\"}}",
       "3:61: `path` must be literal: no `${{ }}` here [literal-only]"},
      {"{uses: schedule@1, with: {cron: \"* * * *\"}}",
       "3:42: `cron`: a schedule has five fields: minute, hour, day of month, month, weekday [bad-cron]"},
      {"{uses: schedule@1, with: {cron: \"0 0 30 2 *\"}}",
       "3:42: `cron`: day of month: no such day in these months, the schedule never comes [bad-cron]"},
      {"{uses: schedule@1, with: {cron: \"@daily\", timezone: Berlin}}",
       "3:62: `timezone`: unknown time zone: use a name such as Europe/Berlin [bad-time-zone]"},
      {"{uses: schedule@1, with: {cron: \"@daily\", catch_up: twice}}",
       "3:62: `catch_up` must be one of skip, once [bad-choice]"},
      {"{uses: manual@1, dedupe: always}",
       "3:35: `dedupe` must depend on the event, with `trigger` or `inputs` in it: with a constant key only the first "
       "event ever runs [constant-dedupe]"},
      {"{uses: manual@1, dedupe: \"${{ recipe.name }}\"}",
       "3:35: `dedupe` must depend on the event, with `trigger` or `inputs` in it: with a constant key only the first "
       "event ever runs [constant-dedupe]"},
      {"{uses: manual@1, dedupe: \"x ${{ vars }}\"}",
       "3:35: `dedupe` must depend on the event, with `trigger` or `inputs` in it: with a constant key only the first "
       "event ever runs [constant-dedupe]"},
      {"{uses: manual@1, dedupe: \"${{ recipe.name }}-${{ inputs.x }}\"}", "3:59: `inputs` has no `x` [unknown-name]"},
      {"{uses: manual@1, dedupe: \"${{ item }}${{ trigger.kind }}\"}",
       "3:40: `item` can be used only in `with` of a step that has `foreach` [unknown-name]"},
      {"{uses: manual@1, dedupe: \"${{ trigger.file }}\"}", "3:40: `trigger` has no `file` [unknown-name]"},
      {"{uses: schedule@1, with: {cron: '@daily'}, dedupe: \"${{ trigger.schedule_at }}\"}",
       "3:66: `trigger` has no `schedule_at` (did you mean `scheduled_at`?) [unknown-name]"},
      {"{uses: file.watch@1, connection: s, with: {path: in}, dedupe: \"${{ trigger.file.sha265 }}\"}",
       "3:77: `trigger.file` has no `sha265` (did you mean `sha256`?) [unknown-name]"},
      {"{uses: file.watch@1, connection: s, with: {path: in}, dedupe: \"${{ trigger['fil'].sha256 }}\"}",
       "3:77: `trigger` has no `fil` (did you mean `file`?) [unknown-name]"},
      {"{uses: file.watch@1, connection: s, with: {path: in}, dedupe: \"${{ has(trigger.file.sha) }}\"}",
       "3:81: `trigger.file` has no `sha` [unknown-name]"},
      {"{uses: manual@1, deduplicate: 1}",
       "3:27: unknown key `deduplicate` in `trigger`; known are uses, connection, with, dedupe, mask [unknown-key]"},
  };
  for (const auto& [trigger, problem] : cases) {
    INFO(trigger);
    CHECK(problems_of(fmt::format("recipe: r\nrun_on: g\ntrigger: {}\n{}", trigger, kSteps)) ==
          "r:" + std::string(problem));
  }
}

TEST_CASE("problems of a step", "[recipe][rules]") {
  check_steps({
      {"  - {id: a}\n", "7:5: a step needs `uses` or `stop` [missing-field]"},
      {"  - {uses: log.write@1, with: {text: x}}\n", "7:5: a step needs `id` [missing-field]"},
      {"  - {id: A, uses: log.write@1, with: {text: x}}\n",
       "7:10: `id` must be 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter [bad-name]"},
      {"  - text\n", "7:5: a step must be a mapping, not text [wrong-type]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}}\n  - {id: a, uses: log.write@1, with: {text: x}}\n",
       "8:10: another step has the id `a` [duplicate-step-id]"},
      {"  - {id: a, uses: sql.qery@1}\n",
       "7:19: unknown action `sql.qery@1` (did you mean `sql.query@1`?) [unknown-action]"},
      {"  - {id: a, uses: log.write@9}\n",
       "7:19: unknown action `log.write@9` (did you mean `log.write@1`?) [unknown-action]"},
      {"  - {id: a, use: log.write@1}\n",
       "7:5: a step needs `uses` or `stop` [missing-field]\nr:7:13: unknown key `use` (did you mean `uses`?) "
       "[unknown-key]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry_on: 3}\n",
       "7:49: unknown key `retry_on` in a step; known are id, name, if, uses, stop, connection, with, foreach, mask, "
       "retry, "
       "timeout, on_failure, on_in_doubt [unknown-key]"},
      {"  - {id: a, uses: log.write@1}\n", "7:5: `log.write@1` needs `text` [missing-field]"},
      {"  - {id: a, uses: log.write@1, with: {txt: x}}\n",
       "7:38: `log.write@1` needs `text` [missing-field]\nr:7:39: unknown field `txt` (did you mean `text`?) "
       "[unknown-field]"},
      {"  - {id: a, uses: log.write@1, with: {text: 5}}\n",
       "7:45: `text` must be text, not an integer: put it in quotes [wrong-type]"},
      {"  - {id: a, uses: log.write@1, with: {text: x, level: loud}}\n",
       "7:55: `level` must be one of debug, info, warn, error [bad-choice]"},
      {"  - {id: a, uses: log.write@1, with: {text: null}}\n", "7:45: `text` must be text, not nothing [wrong-type]"},
      {"  - {id: a, uses: log.write@1, connection: db, with: {text: x}}\n",
       "7:44: `log.write@1` takes no connection [wrong-connection]"},
      {"  - {id: a, uses: sql.query@1, with: {statement: x}}\n",
       "7:5: `sql.query@1` needs `connection`, of the kind sql [missing-connection]"},
      {"  - {id: a, uses: sql.query@1, connection: \"${{ vars.v }}\", with: {statement: x}}\n",
       "7:45: `connection` must be literal: no `${{ }}` here [literal-only]"},
      {"  - {id: a, uses: csv.read@1, with: {source: x}}\n", "7:46: `source` must be a body, not text [wrong-type]"},
      {"  - {id: a, uses: csv.read@1, with: {source: \"${{ inputs.x }}\", batch: 0}}\n",
       "7:72: `batch` must be from 1 to 10000 [out-of-range]"},
      {"  - {id: a, uses: csv.read@1, with: {source: \"x${{ inputs.x }}\"}}\n",
       "7:46: `source` must be a body: text around `${{ }}` makes it text [wrong-type]"},
      {"  - {id: a, uses: json.parse@1, with: {}}\n",
       "7:39: `json.parse@1` needs exactly one of source, text [missing-field]"},
      {"  - {id: a, uses: json.parse@1, with: {text: x, source: \"${{ inputs.x }}\"}}\n",
       "7:39: `json.parse@1` needs exactly one of source, text [missing-field]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, mask: 'yes'}\n",
       "7:55: `mask` must be true, false or a list of paths, not text [wrong-type]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, timeout: 0s}\n",
       "7:58: `timeout` must be from 1s to 30d [out-of-range]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, on_failure: ignore}\n",
       "7:61: `on_failure` must be one of fail, continue [bad-choice]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, on_in_doubt: guess}\n",
       "7:62: `on_in_doubt` must be one of ask, retry, skip, stop [bad-choice]"},
      {"  - {id: a, uses: wait.for@1, with: {duration: 4s}, timeout: 1s}\n",
       "7:62: `timeout` has no meaning for `wait.for@1`: it runs for no longer than it is told to [conflicting-keys]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, timeout: 1s}\n",
       "7:58: `timeout` has no meaning for `log.write@1`: it runs for no longer than it is told to [conflicting-keys]"},
      {"  - {id: a, uses: wait.for@1, with: {duration: 31d}}\n",
       "7:48: `duration` must be from 0s to 30d [out-of-range]"},
  });
}

TEST_CASE("problems of retry, foreach and stop", "[recipe][rules]") {
  check_steps({
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {}}\n", "7:56: `retry` needs `max` [missing-field]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 0}}\n",
       "7:62: `max` must be from 1 to 100 [out-of-range]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 101}}\n",
       "7:62: `max` must be from 1 to 100 [out-of-range]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, initial: 2d}}\n",
       "7:74: `initial` must be from 1ms to 1d [out-of-range]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, initial: 10s, max_delay: 1s}}\n",
       "7:74: `initial` is longer than `max_delay`, which bounds every wait [out-of-range]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, on: []}}\n",
       "7:69: `on` is empty: leave it out, or name the error classes [missing-field]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, backoff: linear}}\n",
       "7:74: `backoff` must be one of exponential, fixed [bad-choice]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, on: [conection]}}\n",
       "7:69: unknown error class `conection` (did you mean `connection`?); known are connection, timeout, cancelled, "
       "policy, invalid, not_found, constraint, transaction, permission, too_large, changed, disk_full, command, "
       "format, "
       "internal, sqlstate:XXXXX, exit:N, signal:N and any [unknown-error-class]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, on: [\"sqlstate:40001\", \"exit:3\", "
       "\"signal:9\", any]}}\n",
       ""},
      {"  - {id: a, uses: log.write@1, with: {text: x}, foreach: {over: \"[1]\", concurrency: 33}}\n",
       "7:85: `concurrency` must be from 1 to 32 [out-of-range]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, foreach: {concurrency: 2}}\n",
       "7:58: `foreach` needs `over` [missing-field]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, foreach: [1]}\n",
       "7:58: `foreach` must be an expression, not a list [wrong-type]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, foreach: \"'abc'\"}\n",
       "7:58: `foreach` must give a list or rows, not string [wrong-type]"},
      {"  - {id: a, stop: {status: done}}\n",
       "7:28: `status` must be one of succeeded, failed, cancelled [bad-choice]"},
      {"  - {id: a, stop: {status: failed}, uses: log.write@1}\n",
       "7:19: a step has either `uses` or `stop` [conflicting-keys]"},
      {"  - {id: a, stop: {status: failed}, retry: {max: 1}}\n",
       "7:37: `retry` has no meaning in a step with `stop` [conflicting-keys]"},
      {"  - {id: a, stop: {status: failed, message: \"${{ steps.b.status }}\"}}\n",
       "7:50: there is no step `b` (did you mean `a`?) [unknown-step-reference]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}}\non_failure: [{id: b, stop: {status: failed}}]\n",
       "8:28: the job has failed already: `stop` has no meaning in `on_failure` [conflicting-keys]"},
  });
}

TEST_CASE("problems of expressions point at the character", "[recipe][rules]") {
  const auto text = [](std::string_view rest) {
    return fmt::format("  - {{id: a, uses: log.write@1, with: {{text: {}}}}}\n", rest);
  };
  const auto at = [&](std::string_view rest) {
    const auto problems = problems_of(test::recipe_with_steps(text(rest)));
    return problems.substr(0, problems.find(": ")) + problems.substr(problems.rfind(" ["));
  };
  CHECK(at("\"${{ 1 + }}\"").ends_with(" [bad-expression]"));
  CHECK(at("\"${{ inputs.x +* 2 }}\"") == "r:7:60 [bad-expression]");
  CHECK(at("\"${{ nobody.x }}\"") == "r:7:50 [bad-expression]");
  CHECK(at("\"${{ 'a' + 1 }}\"") == "r:7:54 [bad-expression]");
  CHECK(at("\"${{ inputs.y }}\"") == "r:7:50 [unknown-name]");
  CHECK(at("'it''s \u00e4 ${{ vars.w }}'") == "r:7:58 [unknown-name]");
  CHECK(at("\"\\u00e4\\t${{ item }}\"") == "r:7:58 [unknown-name]");
  CHECK(at("\"${{ error.message }}\"") == "r:7:50 [unknown-name]");
  CHECK(at("\"${{ secrets.k }}\"") == "r:7:50 [secret-sink]");
  CHECK(at("\"x ${{ secrets.k }} y\"") == "r:7:52 [secret-sink]");
  CHECK(at("\"${{ steps.a.output }}\"") == "r:7:50 [unknown-step-reference]");
  CHECK(at("\"${{ steps }}\"") == "r:7:50 [unknown-step-reference]");
  CHECK(at("\"${{ \"").ends_with(" [bad-expression]"));
  CHECK(problems_of(test::recipe_with_steps(text("\"$${{ not one\""))) == "no problem");
}

TEST_CASE("expressions in blocks and conditions are found on their line", "[recipe][rules]") {
  CHECK(problems_of(test::recipe_with_steps(
                        "  - id: a\n    uses: log.write@1\n    if: ${{ inputs.x == }}\n    with: {text: x}\n"))
            .starts_with("r:9:25: "));
  check_steps({
      {"  - id: a\n    uses: log.write@1\n    if: inputs.z == 1\n    with: {text: x}\n",
       "9:9: `inputs` has no `z` (did you mean `x`?) [unknown-name]"},
      {"  - id: a\n    uses: log.write@1\n    if: size('a')\n    with: {text: x}\n",
       "9:9: `if` must give true or false, not int [wrong-type]"},
      {"  - id: a\n    uses: log.write@1\n    if: 5\n    with: {text: x}\n",
       "9:9: `if` must be an expression, not an integer [wrong-type]"},
      {"  - id: a\n    uses: log.write@1\n    if: x ${{ true }}\n    with: {text: x}\n",
       "9:9: `if` takes one expression and nothing around it [bad-expression]"},
      {"  - id: a\n    uses: log.write@1\n    if: item == 1\n    foreach: inputs.x\n    with: {text: x}\n",
       "9:9: `item` can be used only in `with` of a step that has `foreach` [unknown-name]"},
      {"  - id: a\n    uses: log.write@1\n    with:\n      text: |\n        first\n        second ${{ vars.w }}\n",
       "12:20: `vars` has no `w` (did you mean `v`?) [unknown-name]"},
      {"  - id: a\n    uses: log.write@1\n    with:\n      text: >-\n        first\n        second ${{ inputs.x }} ${{ "
       "vars.w }}\n",
       "12:36: `vars` has no `w` (did you mean `v`?) [unknown-name]"},
  });
}

TEST_CASE("steps see only steps before them, and what those give", "[recipe][rules]") {
  const std::string rows = "  - {id: rows, uses: csv.read@1, with: {source: \"${{ inputs.x }}\"}}\n";
  const auto check = [&](std::string_view expression, std::string_view problem) {
    const auto step = fmt::format("  - {{id: b, uses: log.write@1, if: \"{}\", with: {{text: x}}}}\n", expression);
    const auto late = "  - {id: late, uses: log.write@1, foreach: \"[1]\", with: {text: x}}\n";
    INFO(expression);
    CHECK(problems_of(test::recipe_with_steps(rows + step + late)) == "r:8:37: " + std::string(problem));
  };
  check("steps.row.status == 'x'", "there is no step `row` (did you mean `rows`?) [unknown-step-reference]");
  check("steps.late.status == 'x'", "step `late` has not run yet at this place [unknown-step-reference]");
  check("steps.b.status == 'x'", "step `b` has not run yet at this place [unknown-step-reference]");
  check("steps.rows.stats == 'x'",
        "a step has output, status and error, but no `stats` (did you mean `status`?) [unknown-name]");
  check("steps.rows.output.batche == 'x'",
        "the output of step `rows` has no `batche` (did you mean `batches`?) [unknown-name]");
  check("steps.rows.error.clas == 'x'",
        "the error of a step has class and message, but no `clas` (did you mean `class`?) [unknown-name]");
  check("trigger.file.nam == 'x'", "`trigger` has no `file` [unknown-name]");
  check("job.idd == 'x'", "`job` has no `idd` (did you mean `id`?) [unknown-name]");
  check("job.started == 'x'", "`job` has no `started` [unknown-name]");
  check("agent.nam == 'x'", "`agent` has no `nam` (did you mean `name`?) [unknown-name]");
  check("recipe.versio == 1", "`recipe` has no `versio` (did you mean `version`?) [unknown-name]");
  check("steps['rows'].output.nothing == 1", "the output of step `rows` has no `nothing` [unknown-name]");
  check_steps({
      {"  - {id: a, uses: log.write@1, with: {text: x}, foreach: \"[1]\"}\n  - {id: b, if: steps.a.output.failed == 0, "
       "stop: "
       "{status: failed}}\n  - {id: c, if: steps.a.output.total == 0, stop: {status: failed}}\n",
       "9:17: the output of step `a` has no `total` [unknown-name]"},
      {"  - {id: a-b, uses: log.write@1, with: {text: x}}\n  - {id: c, if: \"steps['a-b'].status == 'failed'\", stop: "
       "{status: "
       "failed}}\non_failure: [{id: d, uses: log.write@1, with: {text: \"${{ steps.c.status }} ${{ error.step "
       "}}\"}}]\n",
       ""},
      {"  - {id: a, uses: log.write@1, with: {text: x}}\non_failure: [{id: d, uses: log.write@1, with: {text: \"${{ "
       "error.clas "
       "}}\"}}]\n",
       "8:59: `error` has no `clas` (did you mean `class`?) [unknown-name]"},
  });
}

TEST_CASE("what a trigger gives can be named wherever its recipe looks at it", "[recipe][rules]") {
  const auto watched = [](std::string_view expression) {
    return problems_of(
        fmt::format("recipe: r\nrun_on: g\ntrigger: {{uses: file.watch@1, connection: s, with: {{path: in}}}}\nsteps: "
                    "[{{id: a, uses: "
                    "log.write@1, if: \"{}\", with: {{text: x}}}}]\nconcurrency: {{key: \"${{{{ {} }}}}\"}}\n",
                    expression, expression));
  };
  for (const auto name : {"path", "name", "size", "mtime", "sha256", "connection", "mtime_ns", "identity"})
    CHECK(watched(fmt::format("trigger.file.{} != ''", name)).find("unknown-name") == std::string::npos);
  CHECK(watched("has(trigger.file)") == "no problem");
  CHECK(watched("trigger.kind == 'manual' && trigger.inputs.anything == 1") == "no problem");
  CHECK(watched("trigger.fil.name == 'x'") ==
        "r:4:41: `trigger` has no `fil` (did you mean `file`?) [unknown-name]\n"
        "r:5:25: `trigger` has no `fil` (did you mean `file`?) [unknown-name]");
}

TEST_CASE("SQL text and command names are literal, data and secrets go into parameters", "[recipe][rules][injection]") {
  const auto sql = [](std::string_view with) {
    return fmt::format("  - id: a\n    uses: sql.execute@1\n    connection: db\n    with: {}\n", with);
  };
  check_steps({
      {sql("{statement: \"delete from t where id = ${{ inputs.x }}\"}"),
       "10:49: `statement` must be literal: no `${{ }}` here [literal-only]"},
      {sql("{statement: \"${{ inputs.x }}\"}"), "10:24: `statement` must be literal: no `${{ }}` here [literal-only]"},
      {sql("{statement: \"${{ broken\"}"), "10:24: `statement` must be literal: no `${{ }}` here [literal-only]"},
      {sql("{statement: \"delete from t where id = :id\", params: {id: \"${{ secrets.k }}\"}}"), ""},
      {sql("{statement: [a]}"), "10:23: `statement` must be text, not a list [wrong-type]"},
      {sql("{statement: x, params: 5}"),
       "10:34: `params` must be a list or a mapping or rows, not an integer [wrong-type]"},
      {"  - id: a\n    uses: sql.transaction@1\n    connection: db\n    with:\n      statements:\n        - "
       "{statement: \"x ${{ "
       "vars.v }}\"}\n        - {params: {}}\n",
       "12:26: `statement` must be literal: no `${{ }}` here [literal-only]\nr:13:11: each of `statements` needs "
       "`statement` "
       "[missing-field]"},
      {"  - id: a\n    uses: sql.transaction@1\n    connection: db\n    with: {statements: \"${{ inputs.x }}\"}\n",
       "10:25: `statements` must be literal: no `${{ }}` here [literal-only]"},
      {"  - id: a\n    uses: sql.transaction@1\n    connection: db\n    with: {statements: [\"${{ inputs.x }}\"]}\n",
       "10:25: each of `statements` must be a mapping, not text [wrong-type]"},
      {"  - id: a\n    uses: sql.transaction@1\n    connection: db\n    with: {statements: []}\n",
       "10:24: `statements` is empty [missing-field]"},
      {"  - {id: a, uses: command.run@1, with: {template: \"${{ inputs.x }}\"}}\n",
       "7:52: `template` must be literal: no `${{ }}` here [literal-only]"},
      {"  - {id: a, uses: command.run@1, with: {template: t, params: {p: \"${{ secrets.k }}\"}}}\n",
       "7:71: `secrets` can be used only in fields that accept a secret [secret-sink]"},
      {"  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets.k }}\"}}\n", ""},
      {"  - {id: a, uses: command.run@1, with: {template: t, environment: {K: \"${{ secrets['k-1'] }}\"}}}\n", ""},
      {"  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ string(secrets) }}\"}}\n",
       "7:73: name the secret: `secrets.<name>` [unknown-name]"},
      {"  - {id: a, uses: command.run@1, with: {template: t, stdin: \"${{ secrets[job.id] }}\"}}\n",
       "7:66: name the secret: `secrets.<name>` [unknown-name]"},
  });
}

TEST_CASE("a recipe has at most 200 steps", "[recipe][rules]") {
  const auto many = [](int count) {
    std::string steps;
    for (int i = 0; i < count; ++i) steps += fmt::format("  - {{id: s{}, uses: log.write@1, with: {{text: x}}}}\n", i);
    return problems_of(test::recipe_with_steps(steps));
  };
  CHECK(many(200) == "no problem");
  CHECK(many(201) == "r:7:3: a recipe has at most 200 steps [too-many-steps]");
}

TEST_CASE("the key of concurrency is short, for it is compiled when a job starts", "[recipe][rules]") {
  const auto keyed = [](std::size_t bytes) {
    const auto text = "${{ inputs.n }}" + std::string(bytes - 15, 'x');
    return problems_of(
        "recipe: r\nrun_on: dc1\ntrigger: {uses: manual@1}\ninputs: {n: {type: integer}}\nconcurrency: {key: \"" +
        text + "\"}\nsteps:\n  - {id: a, uses: log.write@1, with: {text: x}}\n");
  };
  CHECK(keyed(kMaxConcurrencyKey) == "no problem");
  CHECK(keyed(kMaxConcurrencyKey + 1) == "r:5:20: `key` has at most 4096 bytes [too-large]");
}

TEST_CASE("connections are checked when they are known", "[recipe][rules]") {
  const std::map<std::string, std::string, std::less<>> known{{"erp-db", "sql"}, {"share", "file"}};
  const LoadOptions options{.file = "r", .connections = &known};
  const auto with = [&](std::string_view name) {
    return problems_of(test::recipe_with_steps(fmt::format(
                           "  - {{id: a, uses: sql.query@1, connection: {}, with: {{statement: select 1}}}}\n", name)),
                       options);
  };
  CHECK(with("erp-db") == "no problem");
  CHECK(with("erp-dp") == "r:7:44: there is no connection `erp-dp` (did you mean `erp-db`?) [unknown-connection]");
  CHECK(with("share") == "r:7:44: `sql.query@1` needs a connection of the kind sql, not file [wrong-connection]");
}

TEST_CASE("all problems of a file come together, in the order of the lines", "[recipe][rules]") {
  const auto made = load_recipe(
      "recipe: Bad Name\nrunon: g\ntrigger: {uses: file.wach@1}\nsteps:\n  - {id: a, uses: log.write@1, with: {text: "
      "1}}\n"
      "  - {id: a, uses: nothing.like.it@1, if: \"1 +\"}\n");
  REQUIRE_FALSE(made);
  std::vector<std::string> rules;
  for (const auto& problem : made.error()) rules.push_back(problem.rule);
  CHECK(rules == std::vector<std::string>{"missing-field", "bad-name", "unknown-key", "unknown-trigger", "wrong-type",
                                          "duplicate-step-id", "unknown-action", "bad-expression"});
}

TEST_CASE("bodies that are too large or broken are refused before anything else", "[recipe][rules]") {
  CHECK(problems_of(std::string(100u << 20, 'a')) == "r: 104857600 bytes; at most 524288 are allowed [too-large]");
  CHECK(problems_of("recipe: \xFF\n") == "r:1:9: not UTF-8: save the file with the encoding UTF-8 [bad-utf8]");
  std::string deep = "recipe: r\nvars: {a: ";
  for (int i = 0; i < 5'000; ++i) deep += "{a: ";
  CHECK(problems_of(deep).find("[too-deep]") != std::string::npos);
}

TEST_CASE("a recipe as large as it may be is checked in time", "[recipe][rules]") {
  std::string text = test::recipe_with_steps(
      "  - id: a\n    uses: sql.execute@1\n    connection: db\n    with:\n      statement: x\n      params:\n");
  const auto head = text;
  for (int i = 0; i < 6'000; ++i)
    text +=
        fmt::format("        p{}: \"${{{{ inputs.x + inputs.x }}}} and ${{{{ vars.v }}}} and more text {}\"\n", i, i);
  REQUIRE(text.size() < (512u << 10));
  const auto start = std::clock();  // of this process: other work on the machine does not count
  CHECK(problems_of(text) == "no problem");
  text = head;
  for (int i = 0; i < 6'000; ++i)
    text +=
        fmt::format("        p{}: \"${{{{ inputs.y + inputs.y }}}} and ${{{{ vars.w }}}} and more text {}\"\n", i, i);
  CHECK(load_recipe(text).error().size() == yaml::Report::kMaxProblems);
  CHECK((std::clock() - start) / CLOCKS_PER_SEC < 20);
}

TEST_CASE("no value of a recipe appears in a problem", "[recipe][rules]") {
  const auto problems =
      problems_of(test::recipe_with_steps("  - {id: a, uses: sql.query@1, connection: \"hunter2 x\", timeout: hunter2, "
                                          "with: {statement: 5, max_rows: hunter2, params: "
                                          "hunter2}, retry: {max: hunter2}}\n"));
  CHECK(problems.find("hunter2") == std::string::npos);
  CHECK(problems.find("[wrong-type]") != std::string::npos);
}

TEST_CASE("problems of a mask", "[recipe][rules][mask]") {
  check_steps({
      {"  - {id: a, uses: sql.query@1, connection: c, with: {statement: x}, mask: [input.params.card, output.rows]}\n",
       ""},
      {"  - {id: a, uses: log.write@1, with: {text: x}, mask: []}\n",
       "7:55: `mask` is empty: leave it out, or name paths [missing-field]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, mask: [1]}\n",
       "7:56: a path of `mask` must be text, not an integer [wrong-type]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, mask: [inputs.text]}\n",
       "7:56: a path of `mask` begins with one of input, output, not with `inputs` (did you mean `input`?) "
       "[unknown-name]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, mask: [input.txt]}\n",
       "7:56: `input` goes on with one of text, level, not with `txt` (did you mean `text`?) [unknown-name]"},
      {"  - {id: a, uses: file.list@1, connection: c, with: {path: x}, mask: [output.file]}\n",
       "7:71: `output` goes on with one of files, count, more, skipped, not with `file` (did you mean `files`?) "
       "[unknown-name]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, mask: [input, input.text]}\n",
       "7:63: `input.text` is masked by another path already, or holds one that is [bad-mask]"},
      {"  - {id: s, stop: {status: failed}, mask: [output]}\n",
       "7:37: `mask` has no meaning in a step with `stop` [conflicting-keys]"},
  });
  for (const std::string bad : {"input..text", "input.", ".input", "input.a b", "input[0]", "${{ vars.x }}",
                                "input.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p"}) {
    INFO(bad);
    const auto told = problems_of(
        test::recipe_with_steps("  - {id: a, uses: log.write@1, with: {text: x}, mask: ['" + bad + "']}\n"));
    CHECK(told.starts_with("r:7:56: a path of `mask` is 1 to 16 names with `.` between them"));
    CHECK(told.ends_with("[bad-mask]"));
  }
}

TEST_CASE("problems of the mask of a trigger and of inputs", "[recipe][rules][mask]") {
  const std::string head = "recipe: r\nrun_on: g\ninputs: {card: {type: text, mask: true}, day: {type: text}}\n";
  const auto with = [&](std::string_view trigger) {
    return problems_of(fmt::format("{}trigger: {}\n{}", head, trigger, kSteps));
  };
  CHECK(with("{uses: file.watch@1, connection: c, with: {path: x}, mask: [file.name, inputs.day]}") == "no problem");
  CHECK(with("{uses: manual@1, mask: [file.name]}") ==
        "r:4:34: a path of `mask` begins with one of inputs, not with `file` [unknown-name]");
  CHECK(with("{uses: manual@1, mask: 1}") ==
        "r:4:33: `mask` must be true, false or a list of paths, not an integer [wrong-type]");

  const auto key = [](std::string_view name) {
    return fmt::format(
        "`{}` uses what is masked, and is kept and shown in clear: let it depend on something else "
        "[masked-key]",
        name);
  };
  const std::string watch = "{uses: file.watch@1, connection: c, with: {path: x}, ";
  CHECK(with(watch + "mask: [file.name], dedupe: '${{ trigger.file.sha256 }}'}") == "no problem");
  CHECK(with(watch + "mask: [file.name], dedupe: '${{ trigger.file.name }}'}") == "r:4:90: " + key("dedupe"));
  CHECK(with(watch + "mask: [file.name], dedupe: '${{ trigger.file }}'}") == "r:4:90: " + key("dedupe"));
  CHECK(with(watch + "mask: true, dedupe: '${{ trigger.file.sha256 }}'}") == "r:4:83: " + key("dedupe"));
  CHECK(with("{uses: manual@1, dedupe: '${{ inputs.card }}'}") == "r:4:35: " + key("dedupe"));
  CHECK(with("{uses: manual@1, dedupe: '${{ trigger.inputs.day }}'}") == "no problem");
  CHECK(with("{uses: manual@1}\nconcurrency: {key: '${{ inputs.card }}'}") == "r:5:20: " + key("key"));
  CHECK(with("{uses: manual@1}\nconcurrency: {key: '${{ inputs.day }}'}") == "no problem");
}
