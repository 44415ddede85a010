#include "shared/base/result.h"
#include "shared/expr/compare.h"
#include "shared/expr/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

Value count(std::size_t size) { return Value(static_cast<std::int64_t>(size)); }

Answer size(const Call& call) {
  const auto& value = call[0];
  switch (value.kind()) {
    case Kind::string:
      SP_CHECK(call.budget.spend_bytes(value.as_string().size()));
      return count(utf8_length(value.as_string()));
    case Kind::bytes: return count(value.as_bytes().size());
    case Kind::list: return count(value.as_list().size());
    case Kind::map: return count(value.as_map().size());
    default: return no_overload();
  }
}

Answer index(const Call& call) {
  const auto &container = call[0], &key = call[1];
  if (container.is(Kind::list)) {
    if (!is_number(key)) return no_overload();
    const auto at = integral(key);
    if (!at) return failed("invalid_argument: a list index must be a whole number");
    const auto& list = container.as_list();
    if (*at < 0 || std::cmp_greater_equal(*at, list.size()))
      return failed("invalid_argument: index out of range: the list has no such element");
    return list[static_cast<std::size_t>(*at)];
  }
  const bool is_handle = container.is(Kind::handle) && key.is(Kind::string);
  if (!container.is(Kind::map) && !is_handle) return no_overload();
  if (!is_key(key) && !key.is(Kind::float64)) return no_overload();
  const auto* entry = find_entry(is_handle ? container.as_handle().attributes : container.as_map(), key);
  if (entry == nullptr) return failed("no such key");
  return entry->second.with_label(entry->first.label());
}

Answer contained(const Call& call) {
  const auto &needle = call[0], &hay = call[1];
  if (hay.is(Kind::map)) return Value(find_entry(hay.as_map(), needle) != nullptr);
  if (!hay.is(Kind::list)) return no_overload();
  for (const auto& element : hay.as_list()) {
    SP_TRY(const bool same, equal(needle, element, call.budget));
    if (same) return Value(true);
  }
  return Value(false);
}

Answer same(const Call& call) { return call[0]; }

Answer type_of(const Call& call) { return Value(TypeName{std::string(to_string(call[0].kind()))}); }

constexpr std::string_view kSize = "string -> int; bytes -> int; list(A) -> int; map(A, B) -> int";

constexpr std::array kFunctions = {
    Function{"size", Style::global, kSize, size, Taint::shallow},
    Function{"size", Style::receiver, kSize, size, Taint::shallow},
    Function{"[]", Style::global, "list(A), int -> A; map(A, B), A -> B; handle, string -> dyn", index, Taint::shallow},
    Function{"in", Style::global, "A, list(A) -> bool; A, map(A, B) -> bool", contained},
    Function{"dyn", Style::global, "A -> dyn", same, Taint::shallow},
    Function{"type", Style::global, "A -> type(A)", type_of, Taint::shallow},
};

}  // namespace

std::span<const Function> collection_functions() { return kFunctions; }

}  // namespace sallyport::expr
