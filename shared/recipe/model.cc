#include "shared/recipe/model.h"

#include "shared/recipe/loader.h"
#include "shared/recipe/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::recipe {
namespace {

constexpr milliseconds kDefaultInitialDelay = std::chrono::seconds(1);
constexpr milliseconds kDefaultMaxDelay = std::chrono::minutes(5);
constexpr std::array<std::string_view, 3> kRetriedByDefault{"connection", "timeout", "transaction"};
constexpr std::array<std::string_view, 4> kNeverAny{"policy", "cancelled", "invalid", "in_doubt"};

bool is_word(std::string_view text, std::string_view also) {
  if (text.empty() || text.size() > kMaxNameLength || text.front() < 'a' || text.front() > 'z') return false;
  return std::ranges::all_of(text, [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos;
  });
}

template <class List>
bool any_in(const std::vector<std::string>& classes, const List& wanted) {
  return std::ranges::any_of(classes,
                             [&](std::string_view one) { return std::ranges::find(wanted, one) != wanted.end(); });
}

}  // namespace

bool is_name(std::string_view text) { return is_word(text, "-"); }
bool is_identifier(std::string_view text) { return is_word(text, "-_"); }

bool Retry::applies(std::uint32_t attempts, const std::vector<std::string>& classes) const {
  if (attempts > static_cast<std::uint64_t>(max)) return false;
  if (on.empty()) return any_in(classes, kRetriedByDefault);
  if (any_in(classes, on)) return true;
  return std::ranges::find(on, "any") != on.end() && !any_in(classes, kNeverAny);
}

milliseconds Retry::delay(std::uint32_t attempts) const {
  auto wait = initial.value_or(std::min(kDefaultInitialDelay, max_delay.value_or(kDefaultMaxDelay)));
  const auto most = std::max(wait, max_delay.value_or(kDefaultMaxDelay));
  if (backoff == Backoff::fixed) return wait;
  for (std::uint32_t i = 1; i < attempts && wait < most; ++i) wait *= 2;
  return std::min(wait, most);
}

Mask trigger_mask(const Recipe& recipe) {
  Mask mask = recipe.trigger.mask;
  for (const auto& [name, input] : recipe.inputs) {
    if (input.mask) mask.paths.push_back({"inputs", name});
  }
  return mask;
}

Mask output_mask(const Step& step, OutputOf what) {
  const Mask mask = step.mask.below("output");
  return what == OutputOf::loop && !mask.everything ? mask.under("results") : mask;
}

const Step* Recipe::find_step(std::string_view id) const {
  for (const auto* list : {&steps, &on_failure}) {
    const auto it = std::ranges::find(*list, id, &Step::id);
    if (it != list->end()) return &*it;
  }
  return nullptr;
}

namespace {

// What an expression may name: members of `steps`, from the id on.
using Place = std::span<const std::string_view>;

// The place and whatever holds it; `steps[...]` may be any step.
bool names(const expr::Reference& reference, Place place) {
  if (reference.path.front() != "steps") return false;
  const auto path = std::span(reference.path).subspan(1);
  const auto common = std::min(path.size(), place.size());
  return std::ranges::equal(path.first(common), place.first(common));
}

bool any_names(std::span<const expr::Reference> references, Place place) {
  return std::ranges::any_of(references, [&](const auto& one) { return names(one, place); });
}

bool step_names(const Step& step, Place place) {
  const auto uses = step.with.uses();
  return std::ranges::any_of(uses, [&](const auto& use) { return names(use.reference, place); }) ||
         (step.condition && any_names(step.condition->program.references(), place)) ||
         (step.foreach && any_names(step.foreach->over.program.references(), place)) ||
         (step.stop && step.stop->message && any_names(step.stop->message->references(), place));
}

bool any_step_names(const Recipe& recipe, Place place) {
  const auto does = [&](const Step& step) { return step_names(step, place); };
  return std::ranges::any_of(recipe.steps, does) || std::ranges::any_of(recipe.on_failure, does);
}

}  // namespace

bool Recipe::may_name_results(std::string_view id) const {
  return any_step_names(*this, std::array{id, std::string_view("output"), std::string_view("results")});
}

bool Recipe::may_name_output(std::string_view id) const {
  return any_step_names(*this, std::array{id, std::string_view("output")});
}

bool operator==(const Recipe& a, const Recipe& b) { return to_canonical(a) == to_canonical(b); }

bool fits_input(InputType type, const Value& value) {
  using Kind = Value::Kind;
  switch (type) {
    case InputType::text: return value.is(Kind::string);
    case InputType::integer: return value.is(Kind::int64);
    case InputType::number: return value.is(Kind::int64) || value.is(Kind::uint64) || value.is(Kind::float64);
    case InputType::boolean: return value.is(Kind::boolean);
    case InputType::list: return value.is(Kind::list);
    case InputType::map: return value.is(Kind::map);
    case InputType::any: return true;
  }
  return false;
}

Result<Value> bind_inputs(const Recipe& recipe, const Value& given) {
  if (!given.is_null() && !given.is(Value::Kind::map)) return fail(Errc::invalid, "inputs must be a mapping");
  const ValueMap none;
  const auto& entries = given.is_null() ? none : given.as_map();
  for (const auto& [key, value] : entries) {
    const std::string name = key.is(Value::Kind::string) ? key.as_string() : "?";
    if (recipe.inputs.contains(name)) continue;
    std::vector<std::string_view> known;
    for (const auto& [declared, input] : recipe.inputs) known.emplace_back(declared);
    return fail(Errc::invalid, fmt::format("unknown input {}{}", yaml::quoted(name), yaml::suggestion(name, known)));
  }
  ValueMap bound;
  for (const auto& [name, input] : recipe.inputs) {
    const auto it = entries.find(Value(name));
    if (it != entries.end()) {
      if (!fits_input(input.type, it->second)) {
        return fail(Errc::invalid, fmt::format("input `{}` must be {}", name, describe(input.type)));
      }
      bound.emplace(Value(name), it->second);
    } else if (input.required) {
      return fail(Errc::invalid, fmt::format("input `{}` is missing", name));
    } else {
      bound.emplace(Value(name), input.fallback.value_or(Value()));
    }
  }
  return Value(std::move(bound));
}

}  // namespace sallyport::recipe
