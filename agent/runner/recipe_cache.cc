#include "agent/runner/recipe_cache.h"

#include "shared/recipe/loader.h"

#include <algorithm>

namespace sallyport::runner {

Result<std::shared_ptr<const recipe::Recipe>> RecipeCache::get(const std::string& recipe_json,
                                                               journal::Payload payload) {
  const auto it = std::ranges::find_if(
      recent_, [&](const Entry& entry) { return entry.payload == payload && entry.text == recipe_json; });
  auto recipe = it == recent_.end() ? nullptr : it->used.lock();
  if (!recipe) {
    auto loaded = recipe::recipe_from_canonical(recipe_json);
    if (!loaded)
      return fail(Errc::invalid, "the recipe is not one this agent understands: " + loaded.error().front().message);
    if (payload == journal::Payload::none) loaded->retention.payload = std::chrono::milliseconds(0);
    recipe = std::make_shared<const recipe::Recipe>(*std::move(loaded));
  }
  if (it != recent_.end()) recent_.erase(it);
  recent_.push_front({recipe_json, payload, recipe, recipe});
  keep_recent();
  return recipe;
}

void RecipeCache::keep_recent() {
  std::size_t bytes = 0;
  for (auto& entry : recent_) {
    bytes += entry.text.size();
    if (bytes > limit_) entry.kept.reset();
  }
  std::erase_if(recent_, [](const Entry& entry) { return entry.used.expired(); });
}

}  // namespace sallyport::runner
