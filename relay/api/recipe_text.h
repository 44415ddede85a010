#pragma once

#include "relay/api/services.h"
#include "shared/http/types.h"
#include "shared/recipe/loader.h"

#include <expected>
#include <string>
#include <string_view>

namespace sallyport::api {

// 422 with every problem of a recipe: where = "line:column", and the rule's id.
http::Response recipe_problem(const recipe::Problems& problems);

// What is stored of a recipe and said of it, without what compiling it made.
struct CheckedRecipe {
  std::string name;
  std::string run_on;
  std::string trigger;  // "file.watch"
  std::string canonical;
  Bytes sha256;  // of `canonical`
};
// Parses, compiles and checks beside the loop: up to a second of CPU (docs/decisions/0011); with what the organisation
// allows of retention. Errc::exhausted: the
// organisation, or all together, have as many waiting as they may.
boost::asio::awaitable<Result<std::expected<CheckedRecipe, recipe::Problems>>> check_recipe(Services& services,
                                                                                            OrgId org,
                                                                                            std::string yaml);
// The same of two stored versions: what differs. Errc::invalid: one is not valid any more.
boost::asio::awaitable<Result<std::vector<recipe::Change>>> compare_recipes(Services& services, OrgId org,
                                                                            std::string before, std::string after);

std::string trigger_kind(std::string_view uses);  // "file.watch@1" -> "file.watch"

}  // namespace sallyport::api
