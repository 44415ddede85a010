#include "tests/unit/shared/recipe/problems.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::recipe;
using namespace sallyport::test;

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
