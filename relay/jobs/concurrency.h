#pragma once

#include "shared/base/result.h"
#include "shared/base/value.h"
#include "shared/recipe/model.h"

#include <string>

namespace sallyport::jobs {

// As it is stored, what starting a job takes of it (recipe::outline_from_canonical), checked again. Errc::invalid: a
// later version of this program refuses what an earlier one took.
Result<recipe::Recipe> read_outline(const std::string& canonical);

// Jobs of a recipe with the same key count together against its concurrency limit. "": the recipe gives no key.
// Errc::invalid: the key's expression fails with this trigger and these inputs.
Result<std::string> concurrency_key_of(const recipe::Recipe& recipe, const Value& trigger, const Value& inputs);

// What an event is known by when it comes again: what the recipe's `dedupe` makes of it, else its natural key.
// Errc::invalid: the expression fails with this event.
Result<std::string> event_key_of(const recipe::Recipe& recipe, const Value& trigger, const Value& inputs,
                                 std::string natural_key);

}  // namespace sallyport::jobs
