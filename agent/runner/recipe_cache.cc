#include "agent/runner/recipe_cache.h"

#include "shared/recipe/loader.h"

#include <algorithm>

namespace sallyport::runner {

Result<std::shared_ptr<const recipe::Recipe>> RecipeCache::get(const std::string& recipe_json) {
  const auto it = std::ranges::find(recent_, recipe_json, &Entry::text);
  if (it != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, it);
    return recent_.front().recipe;
  }
  auto loaded = recipe::recipe_from_canonical(recipe_json);
  if (!loaded)
    return fail(Errc::invalid, "the recipe is not one this agent understands: " + loaded.error().front().message);
  recent_.push_front({recipe_json, std::make_shared<const recipe::Recipe>(*std::move(loaded))});
  if (recent_.size() > limit_) recent_.pop_back();
  return recent_.front().recipe;
}

}  // namespace sallyport::runner
