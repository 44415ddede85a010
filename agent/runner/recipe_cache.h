#pragma once

#include "shared/base/result.h"
#include "shared/recipe/model.h"

#include <list>
#include <memory>
#include <string>

namespace sallyport::runner {

// Compiled recipes by their stored text, so that many jobs of one recipe share one. Keeps the most recently used.
class RecipeCache {
 public:
  explicit RecipeCache(std::size_t limit = 32) : limit_(limit) {}
  // Errc::invalid with the first problem when this agent does not accept the text.
  Result<std::shared_ptr<const recipe::Recipe>> get(const std::string& recipe_json);

 private:
  struct Entry {
    std::string text;
    std::shared_ptr<const recipe::Recipe> recipe;
  };
  std::size_t limit_;
  std::list<Entry> recent_;
};

}  // namespace sallyport::runner
