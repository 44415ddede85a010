#include "shared/expr/compare.h"

#include "shared/base/result.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

std::partial_ordering reversed(std::partial_ordering order) { return 0 <=> order; }

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  if (a.is(Kind::float64)) {
    if (b.is(Kind::float64)) return a.as_double() <=> b.as_double();
    return reversed(order_numbers(b, a));
  }
  // An integer becomes a double first, as cel-spec's cases of comparison have it (`not_lt_dyn_int_big_lossy_double` in
  // comparisons.textproto): beyond 2^53 neighbours are equal.
  if (b.is(Kind::float64)) {
    const double number = a.is(Kind::int64) ? static_cast<double>(a.as_int()) : static_cast<double>(a.as_uint());
    return number <=> b.as_double();
  }
  if (a.is(Kind::int64) && b.is(Kind::int64)) return a.as_int() <=> b.as_int();
  if (a.is(Kind::uint64) && b.is(Kind::uint64)) return a.as_uint() <=> b.as_uint();
  if (a.is(Kind::uint64)) return reversed(order_numbers(b, a));
  if (a.as_int() < 0) return std::partial_ordering::less;
  return static_cast<std::uint64_t>(a.as_int()) <=> b.as_uint();
}

std::expected<bool, Failure> equal_lists(const ValueList& a, const ValueList& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    SP_TRY(const bool same, equal(a[i], b[i], budget));
    if (!same) return false;
  }
  return true;
}

std::expected<bool, Failure> equal_maps(const ValueMap& a, const ValueMap& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, entry] : a) {
    const auto* other = find_entry(b, key);
    if (other == nullptr) return false;
    SP_TRY(const bool same, equal(entry, other->second, budget));
    if (!same) return false;
  }
  return true;
}

const ValueMap* entries_of(const Value& value) {
  return value.is(Kind::map) ? &value.as_map() : value.is(Kind::handle) ? &value.as_handle().attributes : nullptr;
}

// False once `left` is used up: shared parts make values that are far larger written out than in memory.
bool measure(const Value& value, std::size_t& left) {
  constexpr std::size_t kScalar = 8;
  const auto own = kScalar + own_size(value);
  if (own > left) return false;
  left -= own;
  if (value.is(Kind::list))
    return std::ranges::all_of(value.as_list(), [&](const Value& element) { return measure(element, left); });
  const auto* entries = entries_of(value);
  if (entries == nullptr) return true;
  return std::ranges::all_of(
      *entries, [&](const auto& entry) { return measure(entry.first, left) && measure(entry.second, left); });
}

}  // namespace

std::size_t own_size(const Value& value) {
  if (value.is(Kind::string)) return value.as_string().size();
  if (value.is(Kind::bytes)) return value.as_bytes().size();
  return 0;
}

bool is_number(const Value& value) {
  return value.is(Kind::int64) || value.is(Kind::uint64) || value.is(Kind::float64);
}

bool is_key(const Value& value) {
  return value.is(Kind::boolean) || value.is(Kind::int64) || value.is(Kind::uint64) || value.is(Kind::string);
}

std::expected<bool, Failure> equal(const Value& a, const Value& b, Budget& budget) {
  SP_CHECK(budget.spend(1));
  if (is_number(a) && is_number(b)) return order_numbers(a, b) == 0;
  if (a.is(Kind::handle) || b.is(Kind::handle)) {
    if (a.is_null() || b.is_null()) return false;
    return no_overload();
  }
  if (a.kind() != b.kind()) return false;
  SP_CHECK(budget.spend_bytes(std::min(own_size(a), own_size(b))));
  if (a.is(Kind::list)) return equal_lists(a.as_list(), b.as_list(), budget);
  if (a.is(Kind::map)) return equal_maps(a.as_map(), b.as_map(), budget);
  return a == b;
}

std::optional<std::partial_ordering> order(const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) return order_numbers(a, b);
  if (a.kind() != b.kind()) return std::nullopt;
  switch (a.kind()) {
    case Kind::boolean: return a.as_bool() <=> b.as_bool();
    case Kind::string: return a.as_string() <=> b.as_string();
    case Kind::bytes:
      return std::lexicographical_compare_three_way(a.as_bytes().begin(), a.as_bytes().end(), b.as_bytes().begin(),
                                                    b.as_bytes().end());
    case Kind::timestamp: return a.as_timestamp() <=> b.as_timestamp();
    case Kind::duration: return a.as_duration() <=> b.as_duration();
    default: return std::nullopt;
  }
}

std::optional<std::int64_t> integral(const Value& value) {
  if (value.is(Kind::int64)) return value.as_int();
  if (value.is(Kind::uint64) && std::in_range<std::int64_t>(value.as_uint()))
    return static_cast<std::int64_t>(value.as_uint());
  if (!value.is(Kind::float64)) return std::nullopt;
  const double number = value.as_double();
  if (std::trunc(number) != number || number >= kTwoTo63 || number < -kTwoTo63) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

const ValueMap::value_type* find_entry(const ValueMap& map, const Value& key) {
  auto at = map.end();
  if (is_key(key)) {
    at = map.find(key);
  } else if (key.is(Kind::float64)) {
    const double number = key.as_double();
    if (const auto whole = integral(key)) {
      at = map.find(Value(*whole));
    } else if (number >= kTwoTo63 && number < kTwoTo64) {
      at = map.find(Value(static_cast<std::uint64_t>(number)));
    }
  }
  return at == map.end() ? nullptr : &*at;
}

std::expected<Label, Failure> label_of(const Value& value, Budget& budget) {
  Label label = value.label();
  if (value.is(Kind::list)) {
    SP_CHECK(budget.spend(value.as_list().size() / 4 + 1));
    for (const auto& element : value.as_list()) {
      SP_TRY(const Label inner, label_of(element, budget));
      label = label | inner;
    }
  } else if (const auto* entries = entries_of(value)) {
    SP_CHECK(budget.spend(entries->size() / 4 + 1));
    for (const auto& [key, entry] : *entries) {
      SP_TRY(const Label inner, label_of(entry, budget));
      label = label | key.label() | inner;
    }
  }
  return label;
}

std::optional<std::size_t> measured(const Value& value, std::size_t limit) {
  std::size_t left = limit;
  if (!measure(value, left)) return std::nullopt;
  return limit - left;
}

}  // namespace sallyport::expr
