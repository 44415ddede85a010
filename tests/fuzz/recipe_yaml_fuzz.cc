#include "shared/recipe/loader.h"

#include <cstdint>
#include <cstdlib>

namespace {

// What a problem may point at lies in or behind its scalar.
void locate_all(std::string_view text, const sallyport::yaml::Node& node) {
  if (node.is_scalar()) {
    for (const auto offset : {node.text.size() / 3, node.text.size()}) {
      if (sallyport::yaml::locate(text, node, offset).line < node.at.line) std::abort();
    }
  }
  for (const auto& item : node.items) locate_all(text, item);
  for (const auto& member : node.members) locate_all(text, member.value);
}

}  // namespace

// Whatever loads must be stored and loaded again as the same recipe.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto tree = yaml::parse(text, "fuzz")) locate_all(text, *tree);
  const auto recipe = recipe::load_recipe(text);
  if (!recipe) {
    if (recipe.error().empty()) std::abort();
    return 0;
  }
  const auto canonical = recipe::to_canonical(*recipe);
  const auto again = recipe::recipe_from_canonical(canonical);
  if (!again || recipe::to_canonical(*again) != canonical || !recipe::diff(*recipe, *again).empty()) std::abort();
  return 0;
}
