#pragma once

#include "relay/cli/context.h"
#include "shared/recipe/loader.h"

#include <string>

namespace sallyport::cli {

struct RecipeFile {
  std::string yaml;
  recipe::Recipe recipe;
};

// At most 2 MiB of it; "-" is standard input. Errors name the file.
Result<std::string> read_recipe(const Context& context, const std::string& path);
std::expected<recipe::Recipe, yaml::Problems> check_recipe(const std::string& yaml, const std::string& path);
// Checked before it goes to the relay, because only here the problems can name the file.
Result<RecipeFile> load_recipe_file(const Context& context, const std::string& path);

// Makes the version the active one; gives the recipe.
Result<Value> activate_version(Client& client, const std::string& id, std::int64_t version);

}  // namespace sallyport::cli
