#include "relay/api/recipe_text.h"

#include "relay/http/problem.h"

#include <fmt/format.h>

namespace sallyport::api {

http::Response recipe_problem(const recipe::Problems& problems) {
  http::Problem answer{422, "invalid_recipe", "The recipe is not valid.", {}};
  for (const auto& problem : problems) {
    answer.errors.push_back({fmt::format("{}:{}", problem.line, problem.column), problem.message, problem.rule});
  }
  return http::to_response(answer);
}

std::string trigger_kind(std::string_view uses) { return std::string(uses.substr(0, uses.find('@'))); }

}  // namespace sallyport::api
