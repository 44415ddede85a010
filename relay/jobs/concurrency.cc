#include "relay/jobs/concurrency.h"

#include "shared/base/json.h"
#include "shared/recipe/loader.h"

#include <fmt/format.h>

namespace sallyport::jobs {

static constexpr std::size_t kMaxEventKey = 4'096;

Result<recipe::Recipe> read_outline(const std::string& canonical) {
  auto loaded = recipe::outline_from_canonical(canonical);
  if (loaded) return std::move(*loaded);
  return fail(Errc::invalid,
              fmt::format("the stored recipe is not valid any more: {}", loaded.error().front().message));
}

static Result<std::string> key_of(const expr::Template& key, std::string_view name, const recipe::Recipe& recipe,
                                  const Value& trigger, const Value& inputs) {
  const ValueMap about{{Value("name"), Value(recipe.name)}};
  expr::Activation names;
  names.bind("trigger", trigger);
  names.bind("inputs", inputs);
  names.bind("vars", Value(recipe.vars));
  names.bind("recipe", Value(about));
  auto value = key.evaluate(names);
  if (!value) return fail(Errc::invalid, fmt::format("{}: {}", name, value.error().message));
  return value->is(Value::Kind::string) ? value->as_string() : to_json(*value);
}

Result<std::string> concurrency_key_of(const recipe::Recipe& recipe, const Value& trigger, const Value& inputs) {
  if (!recipe.concurrency || !recipe.concurrency->key) return std::string();
  return key_of(*recipe.concurrency->key, "concurrency.key", recipe, trigger, inputs);
}

Result<std::string> event_key_of(const recipe::Recipe& recipe, const Value& trigger, const Value& inputs,
                                 std::string natural_key) {
  if (!recipe.trigger.dedupe) return natural_key;
  SP_TRY(auto key, key_of(*recipe.trigger.dedupe, "dedupe", recipe, trigger, inputs));
  if (key.empty() || key == "null") return fail(Errc::invalid, "dedupe: it gives nothing");
  if (key.size() > kMaxEventKey)
    return fail(Errc::invalid, fmt::format("dedupe: it has more than {} bytes", kMaxEventKey));
  return key;
}

}  // namespace sallyport::jobs
