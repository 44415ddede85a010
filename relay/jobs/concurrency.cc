#include "relay/jobs/concurrency.h"

#include "shared/base/json.h"
#include "shared/recipe/loader.h"

#include <fmt/format.h>

namespace sallyport::jobs {

Result<recipe::Recipe> read_outline(const std::string& canonical) {
  auto loaded = recipe::outline_from_canonical(canonical);
  if (loaded) return std::move(*loaded);
  return fail(Errc::invalid,
              fmt::format("the stored recipe is not valid any more: {}", loaded.error().front().message));
}

Result<std::string> concurrency_key_of(const recipe::Recipe& recipe, const Value& trigger, const Value& inputs) {
  if (!recipe.concurrency || !recipe.concurrency->key) return std::string();
  const ValueMap about{{Value("name"), Value(recipe.name)}};
  expr::Activation names;
  names.bind("trigger", trigger);
  names.bind("inputs", inputs);
  names.bind("vars", Value(recipe.vars));
  names.bind("recipe", Value(about));
  auto key = recipe.concurrency->key->evaluate(names);
  if (!key) return fail(Errc::invalid, "concurrency.key: " + key.error().message);
  return key->is(Value::Kind::string) ? key->as_string() : to_json(*key);
}

}  // namespace sallyport::jobs
