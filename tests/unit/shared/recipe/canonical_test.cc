#include "shared/recipe/loader.h"

#include "shared/base/json.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::recipe;

namespace {

Recipe loaded(std::string_view text) {
  auto made = load_recipe(text);
  if (!made) FAIL(yaml::to_error(made.error()).message);
  return *std::move(made);
}

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out(text);
  const auto at = out.find(what);
  REQUIRE(at != std::string::npos);
  return out.replace(at, what.size(), with);
}

std::vector<std::string> changes(std::string_view before, std::string_view after) {
  std::vector<std::string> out;
  for (const auto& change : diff(loaded(before), loaded(after))) {
    out.push_back(std::string(to_string(change.kind)) + " " + change.path + ": " + to_json(change.before) + " -> " +
                  to_json(change.after));
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the canonical form of the architecture's recipe", "[recipe][golden]") {
  CHECK(
      to_canonical(loaded(test::kOrdersRecipe)) ==
      R"({"on_failure":[{"id":"tell","uses":"log.write@1","with":{"text":"Order import failed: ${{ error.message }}"}}],)"
      R"("recipe":"orders-to-erp","retention":{"payload":"14d"},"run_on":"dc1","steps":[{"id":"rows","uses":"csv.read@1",)"
      R"("with":{"batch":500,"source":"${{ trigger.file }}"}},{"connection":"erp-db","foreach":"steps.rows.output.batches",)"
      R"("id":"upsert","mask":true,"retry":{"backoff":"exponential","initial":"2s","max":5,"on":["connection","timeout",)"
      R"("sqlstate:40001"]},"uses":"sql.execute@1","with":{"params":"${{ item }}","statement":"insert into orders(id,total) )"
      R"(values (:id,:total) on conflict(id) do update set total=excluded.total"}},{"connection":"erp-share","id":"done",)"
      R"("if":"steps.upsert.status == 'succeeded'","uses":"file.move@1","with":{"from":"${{ trigger.file.path }}",)"
      R"("to":"done"}}],"trigger":{"connection":"erp-share","dedupe":"${{ trigger.file.sha256 }}","uses":"file.watch@1",)"
      R"("with":{"path":"in","pattern":"*.csv","settle":"5s"}}})");
}

TEST_CASE("a recipe survives storing", "[recipe]") {
  for (auto text : {test::kOrdersRecipe, test::kFullRecipe}) {
    const auto recipe = loaded(text);
    const auto canonical = to_canonical(recipe);
    const auto again = recipe_from_canonical(canonical);
    if (!again) FAIL(yaml::to_error(again.error()).message);
    CHECK(*again == recipe);
    CHECK(to_canonical(*again) == canonical);
    CHECK(canonical_json(*parse_json(canonical)) == canonical);
    CHECK(again->steps[0].at == yaml::Position{});
  }
}

TEST_CASE("zero retention survives storing, and a start sees it", "[recipe][outline]") {
  const auto recipe = loaded(test::recipe_with_steps("  - {id: a, uses: log.write@1, with: {text: x}}\n") +
                             "retention: {payload: none, logs: 2h}\n");
  CHECK(recipe.retention.payload == milliseconds(0));
  const auto canonical = to_canonical(recipe);
  CHECK(canonical.find(R"("retention":{"logs":"2h","payload":"none"})") != std::string::npos);
  const auto again = recipe_from_canonical(canonical);
  REQUIRE(again.has_value());
  CHECK(*again == recipe);
  const auto outline = outline_from_canonical(canonical);
  REQUIRE(outline.has_value());
  CHECK(outline->retention.payload == milliseconds(0));
}

TEST_CASE("what is written differently but means the same has the same form", "[recipe]") {
  const auto base = loaded(test::kFullRecipe);
  const auto same = [&](std::string_view what, std::string_view with) {
    return loaded(replaced(test::kFullRecipe, what, with)) == base;
  };
  CHECK(same("timeout: 120m", "timeout: 2h"));
  CHECK(same("timeout: 120m", "timeout: 7200s # comment"));
  CHECK(same("if: ${{ steps.find.output.count == 0 }}", "if: \"steps.find.output.count == 0\""));
  CHECK(same("recipe: everything", "\"recipe\": 'everything'"));
  CHECK(same("max_items: 1000", "max_items: 1000"));
  CHECK(same("2.5, true", "25e-1, true"));
  CHECK_FALSE(same("2.5, true", "2.5, 'true'"));
  CHECK_FALSE(same("priority: 7", "priority: 8"));
  CHECK_FALSE(same("priority: 7\n", ""));
}

TEST_CASE("a whole double is an integer before and after storing", "[recipe]") {
  const auto text = test::recipe_with_steps(
      "  - {id: a, uses: json.write@1, with: {value: [1.0, 1e3, 1e20, -0.0, 0.1, 9223372036854775807, "
      "9007199254740993]}}\n");
  const auto recipe = loaded(text);
  const auto again = recipe_from_canonical(to_canonical(recipe));
  REQUIRE(again);
  const auto before = recipe.steps[0].with.source(), after = again->steps[0].with.source();
  CHECK(before == after);
  CHECK(to_json(before) == R"({"value":[1,1000,100000000000000000000,0,0.1,9223372036854775807,9007199254740993]})");
}

TEST_CASE("stored text that is no recipe is refused", "[recipe]") {
  const auto problem = [](std::string_view json) {
    return yaml::to_string(recipe_from_canonical(json, {.file = "v3"}).error().at(0));
  };
  CHECK(problem("{") == "v3: not valid JSON: syntax error at byte 2 [bad-json]");
  CHECK(problem("[]") == "v3: a recipe must be a mapping, not a list [wrong-type]");
  CHECK(
      problem(
          R"({"recipe":"r","run_on":"g","steps":[{"id":"a","uses":"log.write@1","with":{"text":"x"}}],"trigger":{"uses":"manual@0"}})") ==
      "v3: unknown trigger `manual@0` (did you mean `manual@1`?) [unknown-trigger]");
  CHECK(problem(R"({"recipe":{"$handle":"file"}})").find("[bad-json]") != std::string::npos);
  CHECK(problem(std::string(40, '[') + std::string(40, ']')).find("[bad-json]") != std::string::npos);
}

TEST_CASE("a diff names what changed by path", "[recipe][diff]") {
  const auto base = test::kOrdersRecipe;
  CHECK(changes(base, base).empty());
  CHECK(changes(base, replaced(base, "max: 5", "max: 6")) == Texts{"changed steps[upsert].retry.max: 5 -> 6"});
  CHECK(changes(base, replaced(base, "    mask: true\n", "")) == Texts{"removed steps[upsert].mask: true -> null"});
  CHECK(changes(base, replaced(base, "retention: {payload: 14d}", "timeout: 1h")) ==
        Texts{R"(removed retention: {"payload":"14d"} -> null)", R"(added timeout: null -> "1h")"});
  CHECK(changes(base, replaced(base, "connection, timeout,", "connection,")) ==
        Texts{R"(changed steps[upsert].retry.on[1]: "timeout" -> "sqlstate:40001")",
              R"(removed steps[upsert].retry.on[2]: "sqlstate:40001" -> null)"});
  CHECK(
      changes(base, replaced(base, "id: done", "id: finish")) ==
      Texts{
          R"(removed steps[done]: {"connection":"erp-share","id":"done","if":"steps.upsert.status == 'succeeded'","uses":"file.move@1","with":{"from":"${{ trigger.file.path }}","to":"done"}} -> null)",
          R"(added steps[finish]: null -> {"connection":"erp-share","id":"finish","if":"steps.upsert.status == 'succeeded'","uses":"file.move@1","with":{"from":"${{ trigger.file.path }}","to":"done"}})"});
}

TEST_CASE("a step that moved is a move, not a removal", "[recipe][diff]") {
  const auto with_order = [](std::initializer_list<std::string_view> ids) {
    std::string steps;
    for (auto id : ids) steps += "  - {id: " + std::string(id) + ", uses: log.write@1, with: {text: x}}\n";
    return test::recipe_with_steps(steps);
  };
  CHECK(changes(with_order({"a", "b", "c", "d"}), with_order({"d", "a", "b", "c"})) ==
        Texts{"changed steps[d].position: 4 -> 1"});
  CHECK(changes(with_order({"a", "b", "c"}), with_order({"a", "c", "b"})).size() == 1);
  CHECK(changes(with_order({"a", "b"}), with_order({"c", "a", "b"})).size() == 1);
  CHECK(changes(with_order({"a", "b", "c"}), with_order({"c", "b", "a"})).size() == 2);
}

TEST_CASE("the outline of a stored recipe holds what a start takes, and nothing else", "[recipe][outline]") {
  const auto recipe = loaded(test::kFullRecipe);
  const auto outline = outline_from_canonical(to_canonical(recipe));
  if (!outline) FAIL(yaml::to_error(outline.error()).message);
  CHECK(outline->name == recipe.name);
  CHECK(outline->run_on == recipe.run_on);
  CHECK(outline->trigger.uses == recipe.trigger.uses);
  CHECK(outline->trigger.with == Value(ValueMap{}));
  CHECK(outline->vars == recipe.vars);
  CHECK(outline->priority == recipe.priority);
  CHECK(outline->retention.payload == recipe.retention.payload);
  CHECK(outline->retention.logs == recipe.retention.logs);
  REQUIRE(outline->concurrency.has_value());
  CHECK(outline->concurrency->limit == recipe.concurrency->limit);
  CHECK(outline->concurrency->conflict() == recipe.concurrency->conflict());
  REQUIRE(outline->concurrency->key.has_value());
  CHECK(outline->concurrency->key->text() == recipe.concurrency->key->text());
  REQUIRE(outline->steps.size() == recipe.steps.size());
  for (std::size_t i = 0; i < recipe.steps.size(); ++i) {
    CHECK(outline->steps[i].id == recipe.steps[i].id);
    CHECK(outline->steps[i].failure() == recipe.steps[i].failure());
    CHECK(outline->steps[i].uses.empty());
  }
  CHECK(outline->on_failure.empty());
  REQUIRE(outline->inputs.size() == recipe.inputs.size());
  for (const auto& [name, input] : recipe.inputs) {
    CHECK(outline->inputs.at(name).type == input.type);
    CHECK(outline->inputs.at(name).required == input.required);
    CHECK(outline->inputs.at(name).fallback == input.fallback);
  }
}

TEST_CASE("an outline of what is no recipe is refused, whatever it is", "[recipe][outline]") {
  const auto whole = to_canonical(loaded(test::kFullRecipe));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto outline = outline_from_canonical(whole.substr(0, cut));
    REQUIRE_FALSE(outline.has_value());
    CHECK(outline.error().front().rule == "bad-json");
  }
  struct Case {
    std::string_view json;
    std::string_view rule;
  };
  for (const auto& one : std::vector<Case>{
           {"[]", "missing-field"},
           {"{}", "missing-field"},
           {R"({"recipe":"r","run_on":"g","steps":[],"trigger":{}})", "missing-field"},
           {R"({"recipe":"r","run_on":"g","steps":[],"trigger":"manual@1"})", "missing-field"},
           {R"({"recipe":"R!","run_on":"g","steps":[],"trigger":{"uses":"manual@1"}})", "bad-name"},
           {R"({"recipe":"r","run_on":"g","steps":[7],"trigger":{"uses":"manual@1"}})", "missing-field"},
           {R"({"recipe":"r","run_on":"g","steps":{},"trigger":{"uses":"manual@1"}})", "missing-field"},
           {R"({"recipe":"r","run_on":"g","steps":[{"id":"a","on_failure":"x"}],"trigger":{"uses":"manual@1"}})",
            "bad-choice"},
           {R"({"recipe":"r","run_on":"g","steps":[],"trigger":{"uses":"manual@1"},"priority":99})", "out-of-range"},
           {R"({"recipe":"r","run_on":"g","steps":[],"trigger":{"uses":"manual@1"},"concurrency":{"key":"${{ ( }}"}})",
            "bad-expression"},
           {R"({"recipe":"r","run_on":"g","steps":[],"trigger":{"uses":"manual@1"},"inputs":{"a":{"type":"x"}}})",
            "bad-choice"}}) {
    INFO(one.json);
    const auto outline = outline_from_canonical(one.json);
    REQUIRE_FALSE(outline.has_value());
    CHECK(outline.error().front().rule == one.rule);
  }
}

TEST_CASE("masks survive storing, and stand in the outline", "[recipe][mask]") {
  const auto recipe = loaded(
      "recipe: r\nrun_on: g\ninputs: {card: {type: text, mask: true}, day: {type: text}}\n"
      "trigger: {uses: file.watch@1, connection: c, with: {path: x}, mask: [file.name]}\n"
      "steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}, mask: [input.path, output.files.path]}\n"
      "  - {id: b, uses: file.list@1, connection: c, with: {path: x}, mask: false}\n");
  const auto canonical = to_canonical(recipe);
  CHECK(canonical.find(R"("mask":["input.path","output.files.path"])") != std::string::npos);
  CHECK(canonical.find("false") == std::string::npos);
  const auto again = recipe_from_canonical(canonical);
  REQUIRE(again);
  CHECK(*again == recipe);
  CHECK(again->steps[0].mask == Mask{false, {{"input", "path"}, {"output", "files", "path"}}});
  const auto outline = outline_from_canonical(canonical);
  REQUIRE(outline);
  CHECK(trigger_mask(*outline) == Mask{false, {{"file", "name"}, {"inputs", "card"}}});
  CHECK(trigger_mask(*outline) == trigger_mask(recipe));
}

TEST_CASE("the key of events is in the outline of what the relay starts, and there alone", "[recipe][outline]") {
  const auto outline_of = [](std::string_view trigger) {
    const auto recipe =
        loaded(fmt::format("recipe: r\nrun_on: g\ntrigger: {}\nsteps:\n  - {{id: a, uses: log.write@1, "
                           "with: {{text: x}}}}\n",
                           trigger));
    const auto outline = outline_from_canonical(to_canonical(recipe));
    REQUIRE(outline);
    return *outline;
  };
  CHECK(outline_of("{uses: webhook@1, dedupe: \"${{ trigger.json.id }}\"}").trigger.dedupe);
  CHECK_FALSE(outline_of("{uses: webhook@1}").trigger.dedupe);
  CHECK_FALSE(
      outline_of("{uses: schedule@1, with: {cron: '@daily'}, dedupe: \"${{ trigger.scheduled_at }}\"}").trigger.dedupe);
}

TEST_CASE("what is archived is in the canonical form and in the outline", "[recipe][retention][outline]") {
  const auto recipe = loaded(replaced(test::kOrdersRecipe, "payload: 14d", "payload: 14d, archive: 730d"));
  CHECK(recipe.retention.archive == std::chrono::hours(730 * 24));
  const auto canonical = to_canonical(recipe);
  CHECK(canonical.find(R"("retention":{"archive":"730d","payload":"14d"})") != std::string::npos);
  CHECK(recipe_from_canonical(canonical).value().retention.archive == recipe.retention.archive);
  CHECK_FALSE(loaded(test::kOrdersRecipe).retention.archive);
}

TEST_CASE("a recipe that keeps nothing says so in its canonical form", "[recipe][retention]") {
  const auto base = replaced(test::kOrdersRecipe, "payload: 14d", "payload: none");
  const auto recipe = loaded(base);
  CHECK_FALSE(recipe.keeps_payload());
  const auto canonical = to_canonical(recipe);
  CHECK(canonical.find(R"("retention":{"payload":"none"})") != std::string::npos);
  CHECK_FALSE(recipe_from_canonical(canonical).value().keeps_payload());
  CHECK(loaded(test::kOrdersRecipe).keeps_payload());
  CHECK(loaded(replaced(test::kOrdersRecipe, "retention: {payload: 14d}", "timeout: 1h")).keeps_payload());
}
