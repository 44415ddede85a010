#include "shared/recipe/loader.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <functional>

using namespace sallyport;
using namespace sallyport::recipe;
using Catch::Contains;

namespace {

constexpr std::size_t kMostTexts = 9'000;  // below the limit of nodes

std::string problems_of(const std::string& text) {
  const auto made = load_recipe(text);
  return made ? "" : yaml::to_error(made.error()).message;
}

// A recipe of the largest size whose one step has texts in `params`, each of them this expression.
std::string filled(const std::function<std::string(std::size_t)>& expression) {
  auto text = test::recipe_with_steps(
      "  - id: a\n    uses: sql.execute@1\n    connection: c\n    with:\n      statement: select 1\n      params:\n");
  for (std::size_t i = 0;; ++i) {
    const auto line = fmt::format("        p{}: \"${{{{ {} }}}}\"\n", i, expression(i));
    if (i == kMostTexts || text.size() + line.size() > (512u << 10)) return text;
    text += line;
  }
}

}  // namespace

TEST_CASE("the patterns of one recipe are compiled once each, and count together", "[recipe][bounds]") {
  CHECK(problems_of(filled([](auto) { return R"(''.matches(r'\\p{L}{40}'))"; })) == "");
  const auto distinct = [](auto i) { return fmt::format(R"(''.matches(r'\\p{{L}}{{40}}{}'))", i); };
  CHECK_THAT(problems_of(filled(distinct)), Contains("too large together"));

  std::string one_step = "  - id: a\n    if: |\n      [";
  for (int i = 0; i < 2'500; ++i) one_step += R"(''.matches(r'\p{L}{40}'),)";
  one_step += "].size() > 0\n    stop: {status: succeeded, message: x}\n";
  CHECK(problems_of(test::recipe_with_steps(one_step)) == "");
}
