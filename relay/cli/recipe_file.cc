#include "relay/cli/recipe_file.h"

#include "relay/cli/requests.h"

namespace sallyport::cli {

Result<std::string> read_recipe(const Context& context, const std::string& path) {
  constexpr std::size_t kMaxRecipe = 2u << 20;
  return read_input(context, path, kMaxRecipe);
}

std::expected<recipe::Recipe, yaml::Problems> check_recipe(const std::string& yaml, const std::string& path) {
  return recipe::load_recipe(yaml, {.file = path, .limits = {}, .connections = nullptr});
}

Result<RecipeFile> load_recipe_file(const Context& context, const std::string& path) {
  SP_TRY(auto yaml, read_recipe(context, path));
  auto loaded = check_recipe(yaml, path);
  if (!loaded) return std::unexpected(yaml::to_error(loaded.error()));
  return RecipeFile{std::move(yaml), std::move(*loaded)};
}

Result<Value> activate_version(Client& client, const std::string& id, std::int64_t version) {
  return client.post(fill("/v1/recipes/{}/activate", id), Value(ValueMap{{Value("version"), Value(version)}}));
}

}  // namespace sallyport::cli
