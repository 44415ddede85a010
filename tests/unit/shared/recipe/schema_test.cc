#include "shared/recipe/schema.h"

#include "shared/base/json.h"
#include "shared/recipe/catalogue.h"
#include "shared/recipe/loader.h"
#include "tests/support/published.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <set>

using namespace sallyport;
using namespace sallyport::recipe;

namespace {

using Names = std::set<std::string>;

const Value& at(const Value& value, std::initializer_list<std::string_view> path) {
  const Value* found = &value;
  for (auto name : path) {
    found = found->find(name);
    REQUIRE(found != nullptr);
  }
  return *found;
}

Names properties(const Value& schema) {
  Names names;
  for (const auto& [name, value] : at(schema, {"properties"}).as_map()) names.insert(name.as_string());
  return names;
}

// What the loader says it knows when it meets a key that is like no other.
Names accepted(std::string_view yaml) {
  const auto made = load_recipe(yaml);
  REQUIRE_FALSE(made);
  Names names;
  for (const auto& problem : made.error()) {
    const auto from = problem.message.find("; known are ");
    if (problem.rule != "unknown-key" || from == std::string::npos) continue;
    std::string list = problem.message.substr(from + 12);
    for (std::size_t comma; (comma = list.find(", ")) != std::string::npos; list.erase(0, comma + 2))
      names.insert(list.substr(0, comma));
    names.insert(list);
  }
  return names;
}

// A recipe with `qqqqqqqqqq: 1` in one of its mappings.
std::string probe(std::string_view mapping) {
  const auto in = [&](std::string_view name) { return mapping == name ? ", qqqqqqqqqq: 1" : ""; };
  return fmt::format(
      "{{recipe: r, run_on: g, trigger: {{uses: manual@1{}}}, inputs: {{x: {{type: any{}}}}}, retention: {{logs: "
      "1d{}}},\n"
      " concurrency: {{limit: 1{}}}, steps: [{{id: a, uses: log.write@1, with: {{text: x}}, retry: {{max: 1{}}}, "
      "foreach: {{over: "
      "\"[1]\"{}}}{}}},\n {{id: b, stop: {{status: failed{}}}}}]{}}}\n",
      in("trigger"), in("input"), in("retention"), in("concurrency"), in("retry"), in("foreach"), in("step"),
      in("stop"), in("recipe"));
}

}  // namespace

TEST_CASE("the published schema is the generated one", "[schema][golden]") {
  test::check_published("docs/schemas/recipe.schema.json", recipe_schema_text());
}

TEST_CASE("the schema knows the same keys as the loader", "[schema]") {
  const auto schema = recipe_schema();
  const auto& step = at(schema, {"$defs", "step"});
  const auto& recipe = at(schema, {"properties"});
  CHECK(accepted(probe("recipe")) == properties(schema));
  CHECK(accepted(probe("trigger")) == properties(at(recipe, {"trigger"})));
  CHECK(accepted(probe("input")) == properties(at(recipe, {"inputs", "additionalProperties"})));
  CHECK(accepted(probe("retention")) == properties(at(recipe, {"retention"})));
  CHECK(accepted(probe("concurrency")) == properties(at(recipe, {"concurrency"})));
  CHECK(accepted(probe("step")) == properties(step));
  CHECK(accepted(probe("retry")) == properties(at(step, {"properties", "retry"})));
  CHECK(accepted(probe("stop")) == properties(at(step, {"properties", "stop"})));
  CHECK(accepted(probe("foreach")) == properties(at(step, {"properties", "foreach", "anyOf"}).as_list().at(1)));
  CHECK(load_recipe(probe("nothing")));
}

TEST_CASE("the schema knows every action, trigger and field", "[schema]") {
  const auto schema = recipe_schema();
  const auto check = [](const Value& owner, std::string_view name, std::span<const Field> fields) {
    INFO(name);
    Names expected, found;
    for (const auto& field : fields) expected.insert(std::string(field.name));
    for (const auto& rule : at(owner, {"allOf"}).as_list()) {
      if (rule.find("if") == nullptr || at(rule, {"if", "properties", "uses", "const"}).as_string() != name) continue;
      found = properties(at(rule, {"then", "properties", "with"}));
      found.insert("found");
    }
    expected.insert("found");
    CHECK(found == expected);
  };
  for (const auto& action : actions()) check(at(schema, {"$defs", "step"}), action.name, action.fields);
  for (const auto& trigger : triggers()) check(at(schema, {"properties", "trigger"}), trigger.name, trigger.fields);
  CHECK(at(schema, {"$defs", "step", "properties", "uses", "enum"}).as_list().size() == actions().size());
}

TEST_CASE("every reference of the schema has its definition", "[schema]") {
  const auto schema = recipe_schema();
  const auto& definitions = at(schema, {"$defs"});
  const auto text = to_json(schema);
  std::size_t count = 0;
  for (auto from = text.find("#/$defs/"); from != std::string::npos; from = text.find("#/$defs/", from + 1), ++count) {
    const auto name = text.substr(from + 8, text.find('"', from) - from - 8);
    INFO(name);
    CHECK(definitions.find(name) != nullptr);
  }
  CHECK(count > 20);
}
