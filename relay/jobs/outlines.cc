#include "relay/jobs/outlines.h"

#include "relay/jobs/concurrency.h"
#include "shared/recipe/loader.h"

namespace sallyport::jobs {
namespace {

// From above: `[],` is 110 bytes as a value, and an expression up to 180 times its text when compiled.
constexpr std::size_t kEntryBytes = 2'048;
constexpr std::size_t kBytesPerText = 40;
constexpr std::size_t kBytesPerKeyText = 200;

std::size_t weight_of(const recipe::Recipe& outline) {
  const auto& limit = outline.concurrency;
  const auto& dedupe = outline.trigger.dedupe;
  const std::size_t key = (limit && limit->key ? limit->key->text().size() : 0) + (dedupe ? dedupe->text().size() : 0);
  return kEntryBytes + recipe::to_canonical(outline).size() * kBytesPerText + key * kBytesPerKeyText;
}

}  // namespace

store::awaitable<Result<RecipeOutlines::Outline>> RecipeOutlines::find(OrgId org, RecipeId recipe,
                                                                       std::uint32_t version) {
  const Key key{org, recipe, version};
  if (const auto it = kept_.find(key); it != kept_.end()) co_return it->second;
  SP_CO_TRY(const auto stored, co_await recipes_.version(org, recipe, version));
  SP_CO_TRY(auto read, read_outline(stored.canonical_json));
  auto outline = std::make_shared<const recipe::Recipe>(std::move(read));
  keep(key, outline);
  co_return outline;
}

void RecipeOutlines::keep(const Key& key, const Outline& outline) {
  const auto bytes = weight_of(*outline);
  if (bytes > kMaxOutlines) return;
  if (kept_bytes_ + bytes > kMaxOutlines) {
    kept_.clear();
    kept_bytes_ = 0;
  }
  if (kept_.try_emplace(key, outline).second) kept_bytes_ += bytes;
}

}  // namespace sallyport::jobs
