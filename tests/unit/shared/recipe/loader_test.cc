#include "shared/recipe/loader.h"

#include "shared/base/json.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::recipe;
using namespace std::chrono_literals;

namespace {

Recipe loaded(std::string_view text) {
  auto made = load_recipe(text);
  if (!made) FAIL(yaml::to_error(made.error()).message);
  return *std::move(made);
}

}  // namespace

TEST_CASE("the recipe of the architecture loads into the model", "[recipe]") {
  const auto recipe = loaded(test::kOrdersRecipe);
  CHECK(recipe.name == "orders-to-erp");
  CHECK(recipe.run_on == "dc1");
  CHECK(recipe.trigger.uses == "file.watch@1");
  CHECK(recipe.trigger.connection == "erp-share");
  CHECK(to_json(recipe.trigger.with) == R"({"path":"in","pattern":"*.csv","settle":"5s"})");
  CHECK(recipe.trigger.dedupe->text() == "${{ trigger.file.sha256 }}");
  CHECK(recipe.retention.payload == 14 * 24h);
  CHECK_FALSE(recipe.retention.logs);
  REQUIRE(recipe.steps.size() == 3);

  const auto& upsert = recipe.steps[1];
  CHECK(upsert.uses == "sql.execute@1");
  CHECK(upsert.foreach->over.source() == "steps.rows.output.batches");
  CHECK(upsert.foreach->concurrency == 1);
  CHECK(upsert.mask == Mask{.everything = true, .paths = {}});
  CHECK(upsert.retry->max == 5);
  CHECK(upsert.retry->initial == 2s);
  CHECK(upsert.retry->on == std::vector<std::string>{"connection", "timeout", "sqlstate:40001"});
  CHECK(upsert.failure() == OnFailure::fail);
  CHECK(upsert.doubt() == OnInDoubt::ask);
  REQUIRE(upsert.with.uses().size() == 1);
  CHECK(upsert.with.uses()[0].path == "params");
  CHECK(upsert.with.uses()[0].reference.path == std::vector<std::string>{"item"});

  CHECK(recipe.steps[2].condition->source() == "steps.upsert.status == 'succeeded'");
  CHECK(recipe.on_failure.at(0).id == "tell");
  CHECK(recipe.find_step("tell") == &recipe.on_failure[0]);
  CHECK(recipe.find_step("nobody") == nullptr);
  CHECK(recipe.steps[1].at.line == 10);
}

TEST_CASE("the sample recipe of the repository has no problem", "[recipe]") {
  const auto recipe = loaded(test::read_file("examples/orders-to-erp/recipe.yaml"));
  CHECK(recipe.name == "orders-to-erp");
  CHECK(recipe.trigger.with.find("settle")->as_string() == "1s");
  CHECK(recipe.steps.size() == 3);
}

TEST_CASE("every key of a recipe reaches the model", "[recipe]") {
  const auto recipe = loaded(test::kFullRecipe);
  CHECK(recipe.description == "Everything at once");
  CHECK(recipe.inputs.at("since").type == InputType::text);
  CHECK(recipe.inputs.at("since").fallback == Value("2026-01-01"));
  CHECK(recipe.inputs.at("limit").required);
  CHECK(recipe.vars.at(Value("table")) == Value("orders"));
  CHECK(recipe.retention.payload == 2h);
  CHECK(recipe.retention.logs == 24h);
  CHECK(recipe.concurrency->limit == 3);
  CHECK(recipe.concurrency->key->text() == "${{ inputs.since }}");
  CHECK(recipe.concurrency->conflict() == OnConflict::skip);
  CHECK(recipe.time_limit() == 2h);
  CHECK(recipe.rank() == 7);
  const auto& item = *recipe.find_step("each");
  CHECK(item.name == "Each order");
  CHECK(item.foreach->concurrency == 4);
  CHECK(item.foreach->item_limit() == 1000);
  CHECK(item.foreach->on_item_failure == OnItemFailure::go_on);
  CHECK(item.time_limit() == 30s);
  CHECK(item.failure() == OnFailure::go_on);
  CHECK(item.doubt() == OnInDoubt::skip);
  CHECK(item.retry->backoff == Backoff::fixed);
  CHECK(item.retry->max_delay == 1min);
  const auto& stop = *recipe.find_step("enough");
  CHECK(stop.stop->status == StopStatus::cancelled);
  CHECK(stop.stop->message->text() == "nothing since ${{ inputs.since }}");
  CHECK(stop.uses.empty());
}

TEST_CASE("conditions and loops are the same bare and in braces", "[recipe]") {
  const auto with = [](std::string_view condition) {
    return loaded(test::recipe_with_steps(
        "  - {id: a, uses: log.write@1, with: {text: x}, if: " + std::string(condition) + "}\n"));
  };
  const auto bare = with("\"inputs.x == 1 || job.id == 'a}}b'\"");
  CHECK(bare.steps[0].condition->source() == "inputs.x == 1 || job.id == 'a}}b'");
  CHECK(with("\"${{  inputs.x == 1 || job.id == 'a}}b' }}\"") == bare);
  CHECK(with("true").steps[0].condition->source() == "true");
}

TEST_CASE("arguments are compiled once and evaluated with their types", "[recipe]") {
  const auto recipe = loaded(test::recipe_with_steps(R"(
  - id: write
    uses: sql.execute@1
    connection: db
    with:
      statement: insert into t values (:a, :b, :c)
      params: {a: "${{ inputs.x }}", b: "no ${{ inputs.x }}", c: [1, 2.5, null, "$${{ x }}"]}
)"));
  expr::Activation names;
  names.bind("inputs", Value(ValueMap{{Value("x"), Value(7)}}));
  const auto value = recipe.steps[0].with.evaluate(names);
  REQUIRE(value);
  CHECK(
      to_json(*value) ==
      R"x({"params":{"a":7,"b":"no 7","c":[1,2.5,null,"${{ x }}"]},"statement":"insert into t values (:a, :b, :c)"})x");

  names.bind("inputs", Value(ValueMap{}));
  const auto missing = recipe.steps[0].with.evaluate(names);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().path == "params.a");
  CHECK_FALSE(missing.error().problem.message.empty());
  CHECK_FALSE(recipe.steps[0].with.is_literal());
  CHECK(recipe.steps[0].with.find("statement")->is_literal());
  CHECK(recipe.steps[0].with.find("absent") == nullptr);
}

TEST_CASE("retries apply to the named classes and wait longer each time", "[recipe]") {
  Retry retry{.max = 3};
  CHECK(retry.applies(1, {"connection"}));
  CHECK(retry.applies(3, {"sqlstate:40001", "transaction"}));
  CHECK_FALSE(retry.applies(4, {"connection"}));
  CHECK_FALSE(retry.applies(1, {"constraint"}));
  retry.on = {"sqlstate:40001", "exit:3"};
  CHECK(retry.applies(1, {"exit:3", "command"}));
  CHECK_FALSE(retry.applies(1, {"connection"}));
  retry.on = {"any"};
  CHECK(retry.applies(1, {"constraint"}));
  for (auto never : {"policy", "cancelled", "invalid", "in_doubt"}) CHECK_FALSE(retry.applies(1, {never}));
  CHECK_FALSE(Retry{}.applies(1, {"connection"}));

  CHECK(retry.delay(1) == 1s);
  CHECK(retry.delay(2) == 2s);
  CHECK(retry.delay(9) == 256s);
  CHECK(retry.delay(10) == 5min);
  CHECK(retry.delay(4'000'000'000) == 5min);
  retry.backoff = Backoff::fixed;
  retry.initial = 7s;
  CHECK(retry.delay(1) == 7s);
  CHECK(retry.delay(100) == 7s);
  retry.backoff = Backoff::exponential;
  retry.initial = 10min;
  CHECK(retry.delay(5) == 10min);
  retry.initial = retry.max_delay = 3s;
  CHECK(retry.delay(5) == 3s);
  retry.initial.reset();
  retry.max_delay = 200ms;
  CHECK(retry.delay(1) == 200ms);  // shorter than the wait that none was given for
}

TEST_CASE("a recipe tells whether an expression may name what a loop's items gave", "[recipe]") {
  const auto [step, named] = GENERATE(table<std::string, bool>({
      {"{id: b, uses: log.write@1, with: {text: x}}", false},
      {"{id: b, uses: log.write@1, with: {text: \"${{ steps.a.output.results[0].path }}\"}}", true},
      {"{id: b, uses: log.write@1, with: {text: \"${{ string(steps.a.output.count) }}\"}}", false},
      {"{id: b, uses: log.write@1, with: {text: \"${{ steps.a.status }}\"}}", false},
      {"{id: b, uses: log.write@1, with: {text: \"${{ steps['a'].output.results[0].path }}\"}}", true},
      {"{id: b, uses: log.write@1, if: \"steps.a.output.results.size() > 1\", with: {text: x}}", true},
      {"{id: b, uses: log.write@1, foreach: steps.a.output.results, with: {text: x}}", true},
      {"{id: b, stop: {status: succeeded, message: \"${{ string(steps.a.output.results.size()) }}\"}}", true},
      {"{id: b, uses: log.write@1, with: {text: \"${{ steps.a.output.exists(x, x == 'y') ? '1' : '2' }}\"}}", true},
  }));
  const std::string head =
      "recipe: r\nrun_on: g\ntrigger: {uses: manual@1}\nsteps:\n  - {id: a, uses: file.move@1, connection: c, foreach: "
      "\"[1, 2]\", with: {from: x, to: y}}\n  - ";
  INFO(step);
  const auto recipe = loaded(head + step + "\n");
  CHECK(recipe.may_name_results("a") == named);
  CHECK_FALSE(recipe.may_name_results("b"));
}

TEST_CASE("inputs are checked against their declaration", "[recipe]") {
  const auto recipe = loaded(test::kFullRecipe);
  const auto bind = [&](std::string_view json) {
    const auto bound = bind_inputs(recipe, *parse_json(json));
    return bound ? to_json(*bound) : bound.error().message;
  };
  CHECK(bind(R"({"limit":5})") == R"({"limit":5,"since":"2026-01-01"})");
  CHECK(bind(R"({"limit":5,"since":"x"})") == R"({"limit":5,"since":"x"})");
  CHECK(bind("null") == "input `limit` is missing");
  CHECK(bind(R"({"limit":"5"})") == "input `limit` must be integer");
  CHECK(bind(R"({"limt":5})") == "unknown input `limt` (did you mean `limit`?)");
  CHECK(bind("[]") == "inputs must be a mapping");
}

TEST_CASE("names are short and plain", "[recipe]") {
  for (auto good : {"a", "a-1", "orders-to-erp"}) CHECK(is_name(good));
  for (auto bad : {"", "1a", "-a", "A", "a_b", "a b", "\xC3\xA4"}) CHECK_FALSE(is_name(bad));
  CHECK(is_name(std::string(63, 'a')));
  CHECK_FALSE(is_name(std::string(64, 'a')));
  CHECK(is_identifier("a_b-c"));
  CHECK_FALSE(is_identifier("_a"));
}
