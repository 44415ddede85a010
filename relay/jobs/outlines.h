#pragma once

#include "relay/store/recipes.h"
#include "shared/recipe/model.h"

#include <map>
#include <memory>

namespace sallyport::jobs {

inline constexpr std::size_t kMaxOutlines = 16u << 20;  // bytes of outlines kept at hand, of all organisations

// What starting a job takes of a recipe's version, at hand after the first time: starting compiles no steps
// (docs/decisions/0011). Lives on the relay's loop.
class RecipeOutlines {
 public:
  using Outline = std::shared_ptr<const recipe::Recipe>;  // as recipe::outline_from_canonical() leaves it

  explicit RecipeOutlines(store::Recipes& recipes) : recipes_(recipes) {}

  // Errc::not_found: no such version. Errc::invalid: a later version of this program refuses what an earlier one took.
  store::awaitable<Result<Outline>> find(OrgId org, RecipeId recipe, std::uint32_t version);
  std::size_t kept_bytes() const { return kept_bytes_; }  // about what the kept ones hold; at most kMaxOutlines

 private:
  struct Key {
    OrgId org;
    RecipeId recipe;
    std::uint32_t version;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  void keep(const Key& key, const Outline& outline);

  store::Recipes& recipes_;
  std::map<Key, Outline> kept_;  // versions never change; emptied when it would pass kMaxOutlines
  std::size_t kept_bytes_ = 0;
};

}  // namespace sallyport::jobs
