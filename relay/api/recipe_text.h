#pragma once

#include "relay/http/types.h"
#include "shared/recipe/loader.h"

#include <string>
#include <string_view>

namespace sallyport::api {

// 422 with every problem of a recipe: where = "line:column", and the rule's id.
http::Response recipe_problem(const recipe::Problems& problems);

std::string trigger_kind(std::string_view uses);  // "file.watch@1" -> "file.watch"

}  // namespace sallyport::api
