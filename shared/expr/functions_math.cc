#include "shared/base/result.h"
#include "shared/expr/compare.h"
#include "shared/expr/functions.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

enum class Extreme { greatest, least };

Answer extreme(const Call& call, Extreme wanted) {
  const bool is_list = call.size() == 1 && call[0].is(Kind::list);
  const auto candidates = is_list ? std::span<const Value>(call[0].as_list()) : call.arguments;
  if (candidates.empty()) return failed("invalid_argument: the list must not be empty");
  SP_CHECK(call.budget.spend(candidates.size()));
  const Value* best = nullptr;
  for (const auto& candidate : candidates) {
    if (!is_number(candidate)) return no_overload();
    if (best == nullptr) {
      best = &candidate;
      continue;
    }
    const auto order = expr::order(candidate, *best).value_or(std::partial_ordering::unordered);
    if (wanted == Extreme::greatest ? order > 0 : order < 0) best = &candidate;
  }
  return *best;
}

// Of one list of numbers or of numbers: their type, dyn where they have several.
std::optional<Type> extreme_type(std::span<const Type> arguments) {
  if (arguments.size() == 1 && arguments[0].is(Type::Kind::list)) arguments = arguments[0].arguments();
  for (const auto& type : arguments) {
    const bool fits = type.is(Type::Kind::int64) || type.is(Type::Kind::uint64) || type.is(Type::Kind::float64) ||
                      type.is(Type::Kind::dyn);
    if (!fits) return std::nullopt;
  }
  const bool all_same = std::ranges::all_of(arguments, [&](const Type& type) { return type == arguments[0]; });
  return all_same ? arguments[0] : Type();
}

Answer greatest(const Call& call) { return extreme(call, Extreme::greatest); }
Answer least(const Call& call) { return extreme(call, Extreme::least); }

Answer rounded(const Call& call, double (*how)(double)) {
  if (!call.are(Kind::float64)) return no_overload();
  return Value(how(call[0].as_double()));
}
Answer ceil(const Call& call) { return rounded(call, std::ceil); }
Answer floor(const Call& call) { return rounded(call, std::floor); }
Answer round(const Call& call) { return rounded(call, std::round); }
Answer trunc(const Call& call) { return rounded(call, std::trunc); }

Answer square_root(const Call& call) {
  if (!call.are(Kind::float64) && !call.are(Kind::int64) && !call.are(Kind::uint64)) return no_overload();
  const auto& value = call[0];
  const double number = value.is(Kind::float64) ? value.as_double()
                        : value.is(Kind::int64) ? static_cast<double>(value.as_int())
                                                : static_cast<double>(value.as_uint());
  return Value(std::sqrt(number));
}

Answer absolute(const Call& call) {
  const auto& value = call[0];
  if (value.is(Kind::uint64)) return value;
  if (value.is(Kind::float64)) return Value(std::abs(value.as_double()));
  if (!value.is(Kind::int64)) return no_overload();
  if (value.as_int() == INT64_MIN) return failed("return error for overflow: integer overflow");
  return Value(std::abs(value.as_int()));
}

Answer sign(const Call& call) {
  const auto& value = call[0];
  if (value.is(Kind::uint64)) return Value(static_cast<std::uint64_t>(value.as_uint() > 0 ? 1 : 0));
  if (value.is(Kind::int64)) return Value(value.as_int() > 0 ? 1 : value.as_int() < 0 ? -1 : 0);
  if (!value.is(Kind::float64)) return no_overload();
  const double number = value.as_double();
  return Value(number > 0 ? 1.0 : number < 0 ? -1.0 : std::isnan(number) ? number : 0.0);
}

Answer is_nan(const Call& call) {
  return call.are(Kind::float64) ? Answer(Value(std::isnan(call[0].as_double()))) : no_overload();
}
Answer is_inf(const Call& call) {
  return call.are(Kind::float64) ? Answer(Value(std::isinf(call[0].as_double()))) : no_overload();
}
Answer is_finite(const Call& call) {
  return call.are(Kind::float64) ? Answer(Value(std::isfinite(call[0].as_double()))) : no_overload();
}

// Bits of two ints or two uints.
template <class Operation>
Answer bitwise(const Call& call, Operation operation) {
  if (call.are(Kind::uint64, Kind::uint64)) return Value(operation(call[0].as_uint(), call[1].as_uint()));
  if (call.are(Kind::int64, Kind::int64)) return Value(operation(call[0].as_int(), call[1].as_int()));
  return no_overload();
}
Answer bit_and(const Call& call) {
  return bitwise(call, [](auto a, auto b) { return a & b; });
}
Answer bit_or(const Call& call) {
  return bitwise(call, [](auto a, auto b) { return a | b; });
}
Answer bit_xor(const Call& call) {
  return bitwise(call, [](auto a, auto b) { return a ^ b; });
}

Answer bit_not(const Call& call) {
  if (call.are(Kind::uint64)) return Value(~call[0].as_uint());
  if (call.are(Kind::int64)) return Value(~call[0].as_int());
  return no_overload();
}

// Of the 64 bits as they are: what comes in is zeros, also from the left of a negative int.
Answer shift(const Call& call, std::uint64_t (*shifted)(std::uint64_t, int)) {
  if (!call.are(Kind::uint64, Kind::int64) && !call.are(Kind::int64, Kind::int64)) return no_overload();
  if (call[1].as_int() < 0) return failed("invalid_argument: negative offset of a shift");
  const auto by = call[1].as_int();
  const bool is_unsigned = call[0].is(Kind::uint64);
  const auto bits = is_unsigned ? call[0].as_uint() : static_cast<std::uint64_t>(call[0].as_int());
  const auto made = by >= 64 ? 0 : shifted(bits, static_cast<int>(by));
  return is_unsigned ? Value(made) : Value(static_cast<std::int64_t>(made));
}

Answer shift_left(const Call& call) {
  return shift(call, [](std::uint64_t bits, int by) { return bits << by; });
}

Answer shift_right(const Call& call) {
  return shift(call, [](std::uint64_t bits, int by) { return bits >> by; });
}

constexpr std::string_view kNumber = "int -> int; uint -> uint; double -> double";
constexpr std::string_view kExtreme = "dyn... -> dyn";
constexpr std::string_view kBits = "int, int -> int; uint, uint -> uint";
constexpr std::string_view kShift = "int, int -> int; uint, int -> uint";

constexpr std::array kFunctions = {
    Function{"math.greatest", Style::global, kExtreme, greatest, Taint::deep, extreme_type},
    Function{"math.least", Style::global, kExtreme, least, Taint::deep, extreme_type},
    Function{"math.ceil", Style::global, "double -> double", ceil},
    Function{"math.floor", Style::global, "double -> double", floor},
    Function{"math.round", Style::global, "double -> double", round},
    Function{"math.trunc", Style::global, "double -> double", trunc},
    Function{"math.sqrt", Style::global, "double -> double; int -> double; uint -> double", square_root},
    Function{"math.abs", Style::global, kNumber, absolute},
    Function{"math.sign", Style::global, kNumber, sign},
    Function{"math.isNaN", Style::global, "double -> bool", is_nan},
    Function{"math.isInf", Style::global, "double -> bool", is_inf},
    Function{"math.isFinite", Style::global, "double -> bool", is_finite},
    Function{"math.bitAnd", Style::global, kBits, bit_and},
    Function{"math.bitOr", Style::global, kBits, bit_or},
    Function{"math.bitXor", Style::global, kBits, bit_xor},
    Function{"math.bitNot", Style::global, "int -> int; uint -> uint", bit_not},
    Function{"math.bitShiftLeft", Style::global, kShift, shift_left},
    Function{"math.bitShiftRight", Style::global, kShift, shift_right},
};

}  // namespace

std::span<const Function> math_functions() { return kFunctions; }

}  // namespace sallyport::expr
