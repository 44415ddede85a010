#include "shared/base/result.h"
#include "shared/expr/compare.h"
#include "shared/expr/functions.h"
#include "shared/expr/time.h"

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

std::unexpected<Failure> overflow() { return failed("return error for overflow: integer overflow"); }

template <class Integer>
Answer checked(bool overflowed, Integer result) {
  if (overflowed) return overflow();
  return Value(result);
}

// One body per arithmetic operator: exact integers, IEEE doubles.
#define SP_ARITHMETIC(builtin, sign)                                    \
  const auto &a = call[0], &b = call[1];                                \
  if (call.are(Kind::int64, Kind::int64)) {                             \
    std::int64_t result = 0;                                            \
    return checked(builtin(a.as_int(), b.as_int(), &result), result);   \
  }                                                                     \
  if (call.are(Kind::uint64, Kind::uint64)) {                           \
    std::uint64_t result = 0;                                           \
    return checked(builtin(a.as_uint(), b.as_uint(), &result), result); \
  }                                                                     \
  if (call.are(Kind::float64, Kind::float64)) return Value(a.as_double() sign b.as_double())

Answer concatenate(const Call& call) {
  const auto &a = call[0], &b = call[1];
  if (call.are(Kind::string, Kind::string)) {
    SP_CHECK(call.budget.spend_bytes(a.as_string().size() + b.as_string().size()));
    return Value(a.as_string() + b.as_string());
  }
  if (call.are(Kind::bytes, Kind::bytes)) {
    SP_CHECK(call.budget.spend_bytes(a.as_bytes().size() + b.as_bytes().size()));
    Bytes joined = a.as_bytes();
    joined.insert(joined.end(), b.as_bytes().begin(), b.as_bytes().end());
    return Value(std::move(joined));
  }
  if (!call.are(Kind::list, Kind::list)) return no_overload();
  SP_CHECK(call.budget.spend(a.as_list().size() + b.as_list().size()));
  ValueList joined = a.as_list();
  joined.insert(joined.end(), b.as_list().begin(), b.as_list().end());
  return Value(std::move(joined));
}

Answer add(const Call& call) {
  SP_ARITHMETIC(__builtin_add_overflow, +);
  if (call.are(Kind::timestamp, Kind::duration)) return add_time(a.as_timestamp(), b.as_duration());
  if (call.are(Kind::duration, Kind::timestamp)) return add_time(b.as_timestamp(), a.as_duration());
  if (call.are(Kind::duration, Kind::duration)) return add_durations(a.as_duration(), b.as_duration());
  return concatenate(call);
}

Answer subtract(const Call& call) {
  SP_ARITHMETIC(__builtin_sub_overflow, -);
  if (call.are(Kind::timestamp, Kind::timestamp)) return time_between(a.as_timestamp(), b.as_timestamp());
  if (call.are(Kind::timestamp, Kind::duration)) return add_time(a.as_timestamp(), negated(b.as_duration()));
  if (call.are(Kind::duration, Kind::duration)) return add_durations(a.as_duration(), negated(b.as_duration()));
  return no_overload();
}

Answer multiply(const Call& call) {
  SP_ARITHMETIC(__builtin_mul_overflow, *);
  return no_overload();
}
#undef SP_ARITHMETIC

// IEEE 754 division, infinities and NaN included: what the division operator means for doubles.
__attribute__((no_sanitize("float-divide-by-zero"))) double quotient(double a, double b) { return a / b; }

Answer divide(const Call& call) {
  const auto &a = call[0], &b = call[1];
  if (call.are(Kind::float64, Kind::float64)) return Value(quotient(a.as_double(), b.as_double()));
  if (call.are(Kind::int64, Kind::int64)) {
    if (b.as_int() == 0) return failed("divide by zero: division by zero");
    if (a.as_int() == INT64_MIN && b.as_int() == -1) return overflow();
    return Value(a.as_int() / b.as_int());
  }
  if (!call.are(Kind::uint64, Kind::uint64)) return no_overload();
  if (b.as_uint() == 0) return failed("divide by zero: division by zero");
  return Value(a.as_uint() / b.as_uint());
}

Answer remainder(const Call& call) {
  const auto &a = call[0], &b = call[1];
  if (call.are(Kind::int64, Kind::int64)) {
    if (b.as_int() == 0) return failed("modulus by zero");
    if (b.as_int() == -1) return a.as_int() == INT64_MIN ? Answer(overflow()) : Answer(Value(0));
    return Value(a.as_int() % b.as_int());
  }
  if (!call.are(Kind::uint64, Kind::uint64)) return no_overload();
  if (b.as_uint() == 0) return failed("modulus by zero");
  return Value(a.as_uint() % b.as_uint());
}

Answer negate(const Call& call) {
  if (call.are(Kind::float64)) return Value(-call[0].as_double());
  if (!call.are(Kind::int64)) return no_overload();
  if (call[0].as_int() == INT64_MIN) return overflow();
  return Value(-call[0].as_int());
}

Answer logical_not(const Call& call) {
  if (!call.are(Kind::boolean)) return no_overload();
  return Value(!call[0].as_bool());
}

Answer equals(const Call& call) {
  SP_TRY(const bool same, equal(call[0], call[1], call.budget));
  return Value(same);
}

Answer differs(const Call& call) {
  SP_TRY(const bool same, equal(call[0], call[1], call.budget));
  return Value(!same);
}

template <class Test>
Answer ordered(const Call& call, Test test) {
  SP_CHECK(call.budget.spend_bytes(std::min(own_size(call[0]), own_size(call[1]))));
  const auto order = expr::order(call[0], call[1]);
  if (!order) return no_overload();
  return Value(test(*order));
}
Answer less(const Call& call) {
  return ordered(call, [](auto order) { return order < 0; });
}
Answer less_equal(const Call& call) {
  return ordered(call, [](auto order) { return order <= 0; });
}
Answer greater(const Call& call) {
  return ordered(call, [](auto order) { return order > 0; });
}
Answer greater_equal(const Call& call) {
  return ordered(call, [](auto order) { return order >= 0; });
}

#define SP_ORDER                                                                                                     \
  "int, int -> bool; uint, uint -> bool; double, double -> bool; int, uint -> bool; uint, int -> bool; int, double " \
  "-> bool; "                                                                                                        \
  "double, int -> bool; uint, double -> bool; double, uint -> bool; bool, bool -> bool; string, string -> bool; "    \
  "bytes, bytes -> bool; timestamp, timestamp -> bool; duration, duration -> bool"
#define SP_NUMBERS "int, int -> int; uint, uint -> uint; double, double -> double"

constexpr std::array kFunctions = {
    Function{"+", Style::global,
             SP_NUMBERS
             "; string, string -> string; bytes, bytes -> bytes; list(A), list(A) -> list(A); "
             "timestamp, duration -> timestamp; duration, timestamp -> timestamp; duration, duration -> duration",
             add, Taint::shallow},
    Function{"-", Style::global,
             SP_NUMBERS
             "; timestamp, timestamp -> duration; timestamp, duration -> timestamp; duration, duration -> duration",
             subtract},
    Function{"*", Style::global, SP_NUMBERS, multiply},
    Function{"/", Style::global, SP_NUMBERS, divide},
    Function{"%", Style::global, "int, int -> int; uint, uint -> uint", remainder},
    Function{"-x", Style::global, "int -> int; double -> double", negate},
    Function{"!", Style::global, "bool -> bool", logical_not},
    Function{"==", Style::global, "A, A -> bool", equals},
    Function{"!=", Style::global, "A, A -> bool", differs},
    Function{"<", Style::global, SP_ORDER, less},
    Function{"<=", Style::global, SP_ORDER, less_equal},
    Function{">", Style::global, SP_ORDER, greater},
    Function{">=", Style::global, SP_ORDER, greater_equal},
};
#undef SP_ORDER
#undef SP_NUMBERS

}  // namespace

std::span<const Function> operator_functions() { return kFunctions; }

}  // namespace sallyport::expr
