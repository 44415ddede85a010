#pragma once

#include "shared/recipe/loader.h"
#include "tests/unit/shared/recipe/recipes.h"

#include <catch2/catch.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

// What is said of recipes that break a rule.
namespace sallyport::test {

struct Case {
  std::string_view text;
  std::string_view problem;  // without the file's name
};

inline std::string problems_of(std::string_view text, const recipe::LoadOptions& options = {.file = "r"}) {
  const auto made = recipe::load_recipe(text, options);
  if (made) return "no problem";
  std::string out;
  for (const auto& problem : made.error()) out += (out.empty() ? "" : "\n") + yaml::to_string(problem);
  return out;
}

// Lines 1 to 6 are the head of recipe_with_steps().
inline void check_steps(std::initializer_list<Case> cases) {
  for (const auto& [steps, problem] : cases) {
    INFO(steps);
    CHECK(problems_of(recipe_with_steps(steps)) == (problem.empty() ? "no problem" : "r:" + std::string(problem)));
  }
}

inline constexpr std::string_view kSteps = "steps: [{id: a, uses: log.write@1, with: {text: x}}]\n";

}  // namespace sallyport::test
