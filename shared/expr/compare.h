#pragma once

#include "shared/expr/failure.h"

#include <compare>
#include <optional>

namespace sallyport::expr {

// Equality of the language: numbers across kinds by value, NaN unequal to itself, other kinds never equal to each
// other; lists and maps by their parts. Handles have no content to compare: no overload, except against null.
std::expected<bool, Failure> equal(const Value& a, const Value& b, Budget& budget);

// nullopt: these kinds have no order. `unordered` with NaN.
std::optional<std::partial_ordering> order(const Value& a, const Value& b);

std::size_t own_size(const Value& value);  // bytes of a string or bytes, 0 for everything else

bool is_number(const Value& value);
bool is_key(const Value& value);  // bool, int, uint or string: what a map may have as keys

// The entry whose key equals `key`, numbers across kinds by value; nullptr when there is none.
const ValueMap::value_type* find_entry(const ValueMap& map, const Value& key);

// What indexes a list: an int, or a uint or double of integral value. nullopt otherwise.
std::optional<std::int64_t> integral(const Value& value);

// The union of all labels in `value`, paid for by its size.
std::expected<Label, Failure> label_of(const Value& value, Budget& budget);
// Adds up the bytes of `value` as text; nullopt as soon as that is more than `limit`.
std::optional<std::size_t> measured(const Value& value, std::size_t limit);

}  // namespace sallyport::expr
