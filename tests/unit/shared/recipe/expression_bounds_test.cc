#include "shared/recipe/loader.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <ctime>
#include <functional>

using namespace sallyport;
using namespace sallyport::recipe;
using Catch::Contains;

namespace {

constexpr std::size_t kMostTexts = 9'000;  // below the limit of nodes

struct Loaded {
  double seconds = 0;  // of this thread's processor time
  std::string problems;
};

Loaded timed_load(const std::string& text) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const auto start = now();
  const auto made = load_recipe(text);
  const auto spent = now() - start;
  return {spent, made ? "" : yaml::to_error(made.error()).message};
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

std::string list_of(std::size_t count, std::string_view element) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{}{}", i > 0 ? "," : "", element);
  return text + "]";
}

}  // namespace

TEST_CASE("the patterns of one recipe count together", "[recipe][bounds]") {
  const auto same = timed_load(filled([](auto) { return R"(''.matches(r'\\p{L}{40}'))"; }));
  CHECK(same.seconds < 10);
  CHECK(same.problems == "");
  const auto distinct = timed_load(filled([](auto i) { return fmt::format(R"(''.matches(r'\\p{{L}}{{40}}{}'))", i); }));
  CHECK(distinct.seconds < 10);
  CHECK_THAT(distinct.problems, Contains("too large together"));

  std::string one_step = "  - id: a\n    if: |\n      [";
  for (int i = 0; i < 2500; ++i) one_step += R"(''.matches(r'\p{L}{40}'),)";
  const auto one =
      timed_load(test::recipe_with_steps(one_step + "].size() > 0\n    stop: {status: succeeded, message: x}\n"));
  CHECK(one.problems == "");
  CHECK(one.seconds < 1);
}

TEST_CASE("a recipe of nothing but expressions is read in bounded time", "[recipe][bounds]") {
  const std::pair<std::string_view, std::function<std::string(std::size_t)>> kinds[] = {
      {"short", [](auto) { return "1"; }},
      {"long", [](auto) { return list_of(30'000, "1"); }},
      {"calls", [](auto) { return list_of(9'000, "size(v)"); }},
      {"references", [](auto) { return list_of(6'000, "inputs.x"); }},
      {"unknown", [](auto) { return list_of(6'000, "inputs.y"); }},
      {"nested", [](auto) { return std::string(240, '(') + "1" + std::string(240, ')'); }},
      {"unary",
       [](auto) {
         return "1" + [] {
           std::string s;
           for (int i = 0; i < 200; ++i) s += "+1";
           return s;
         }();
       }},
      {"macros", [](auto) { return "[1].all(a, [a].all(b, [b].all(c, [c].all(d, [d].all(e, e == a)))))"; }},
      {"maps", [](auto) { return "[" + list_of(3'000, "{'a': 1}") + "]"; }},
  };
  for (const auto& [name, expression] : kinds) {
    const auto loaded = timed_load(filled(expression));
    INFO(name << ": " << loaded.seconds << " s " << loaded.problems.substr(0, 100));
    CHECK(loaded.seconds < 10);
  }
}
