#include "tests/unit/shared/recipe/problems.h"

#include <fmt/format.h>

#include <ctime>

using namespace sallyport;
using namespace sallyport::recipe;
using namespace sallyport::test;

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
       "internal, sqlstate:XXXXX, status:NNN, ldap:N, smtp:N, exit:N, signal:N and any [unknown-error-class]"},
      {"  - {id: a, uses: log.write@1, with: {text: x}, retry: {max: 1, on: [\"sqlstate:40001\", \"exit:3\", "
       "\"signal:9\", \"status:503\", any]}}\n",
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
  CHECK(keyed(kMaxRelaysKey) == "no problem");
  CHECK(keyed(kMaxRelaysKey + 1) == "r:5:20: `key` has at most 4096 bytes [too-large]");
}

TEST_CASE("the key of a webhook's events is short, for the relay compiles it", "[recipe][rules]") {
  const auto keyed = [](std::size_t bytes) {
    const auto text = "${{ trigger.id }}" + std::string(bytes - 17, 'x');
    return problems_of("recipe: r\nrun_on: dc1\ntrigger: {uses: webhook@1, dedupe: \"" + text +
                       "\"}\nsteps:\n  - {id: a, uses: log.write@1, with: {text: x}}\n");
  };
  CHECK(keyed(kMaxRelaysKey) == "no problem");
  CHECK(keyed(kMaxRelaysKey + 1) == "r:3:36: `dedupe` has at most 4096 bytes here [too-large]");
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
