#pragma once

#include "agent/journal/records.h"
#include "shared/base/result.h"
#include "shared/recipe/model.h"

#include <list>
#include <memory>
#include <string>

namespace sallyport::runner {

// Compiled recipes by their stored text. Jobs of one recipe share one, and when none runs the most recently used are
// kept, up to `limit` bytes of text: compiled, a recipe of nothing but expressions takes some 200 times as much.
class RecipeCache {
 public:
  explicit RecipeCache(std::size_t limit = 64u << 10) : limit_(limit) {}
  // With `none` it is the recipe that keeps no payload. Errc::invalid with the first problem when this agent does not
  // accept the text.
  Result<std::shared_ptr<const recipe::Recipe>> get(const std::string& recipe_json, journal::Payload payload);

 private:
  struct Entry {
    std::string text;
    journal::Payload payload;
    std::weak_ptr<const recipe::Recipe> used;
    std::shared_ptr<const recipe::Recipe> kept;  // null: gone when no job uses it any more
  };
  void keep_recent();

  std::size_t limit_;
  std::list<Entry> recent_;
};

}  // namespace sallyport::runner
