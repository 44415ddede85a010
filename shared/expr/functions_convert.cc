#include "shared/base/json.h"
#include "shared/base/result.h"
#include "shared/expr/convert.h"
#include "shared/expr/functions.h"
#include "shared/expr/time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <type_traits>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

std::unexpected<Failure> out_of_range(std::string_view type) {
  return failed("range error: the value does not fit " + std::string(type));
}
std::unexpected<Failure> malformed(std::string_view type) {
  return failed("invalid_argument: the string is no " + std::string(type));
}

// A plus sign, which from_chars() does not take; a uint has no sign at all.
bool take_plus(std::string_view& text) {
  if (!text.starts_with('+')) return true;
  text.remove_prefix(1);
  return !text.starts_with('-');
}

template <class Integer>
Answer integer_from_text(std::string_view text, std::string_view type) {
  if (std::is_signed_v<Integer> && !take_plus(text)) return malformed(type);
  Integer number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc::result_out_of_range) return out_of_range(type);
  if (problem != std::errc() || end != text.data() + text.size()) return malformed(type);
  return Value(number);
}

Answer to_int(const Call& call) {
  const auto& value = call[0];
  switch (value.kind()) {
    case Kind::int64: return value;
    case Kind::uint64:
      if (value.as_uint() > static_cast<std::uint64_t>(INT64_MAX)) return out_of_range("int");
      return Value(static_cast<std::int64_t>(value.as_uint()));
    case Kind::float64: {
      const double number = value.as_double();
      // Both ends are excluded: as doubles they may stand for values outside.
      if (!(number > -kTwoTo63 && number < kTwoTo63)) return out_of_range("int");
      return Value(static_cast<std::int64_t>(number));
    }
    case Kind::string: return integer_from_text<std::int64_t>(value.as_string(), "int");
    case Kind::timestamp: return Value(value.as_timestamp().seconds);
    default: return no_overload();
  }
}

Answer to_uint(const Call& call) {
  const auto& value = call[0];
  switch (value.kind()) {
    case Kind::uint64: return value;
    case Kind::int64:
      if (value.as_int() < 0) return out_of_range("uint");
      return Value(static_cast<std::uint64_t>(value.as_int()));
    case Kind::float64: {
      const double number = value.as_double();
      if (!(number > -1.0 && number < kTwoTo64) || number < 0.0) return out_of_range("uint");
      return Value(static_cast<std::uint64_t>(number));
    }
    case Kind::string: return integer_from_text<std::uint64_t>(value.as_string(), "uint");
    default: return no_overload();
  }
}

std::optional<double> named_double(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "nan") return std::nan("");
  const bool negative = lower.starts_with('-');
  if (negative || lower.starts_with('+')) lower.erase(0, 1);
  if (lower == "inf" || lower == "infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  return std::nullopt;
}

// Too small for a double is zero, too large an error: the same as for literals.
Answer double_from_text(std::string_view text) {
  if (const auto named = named_double(text)) return Value(*named);
  if (!take_plus(text)) return malformed("double");
  const bool decimal = !text.empty() && text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!decimal || problem == std::errc::invalid_argument || end != text.data() + text.size())
    return malformed("double");
  if (problem == std::errc::result_out_of_range) {
    number = std::strtod(std::string(text).c_str(), nullptr);
    if (std::isinf(number)) return out_of_range("double");
  }
  return Value(number);
}

Answer to_double(const Call& call) {
  const auto& value = call[0];
  switch (value.kind()) {
    case Kind::float64: return value;
    case Kind::int64: return Value(static_cast<double>(value.as_int()));
    case Kind::uint64: return Value(static_cast<double>(value.as_uint()));
    case Kind::string: return double_from_text(value.as_string());
    default: return no_overload();
  }
}

Answer to_bool(const Call& call) {
  if (call.are(Kind::boolean)) return call[0];
  if (!call.are(Kind::string)) return no_overload();
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  const std::string_view text = call[0].as_string();
  if (std::ranges::find(kTrue, text) != kTrue.end()) return Value(true);
  if (std::ranges::find(kFalse, text) != kFalse.end()) return Value(false);
  return malformed("bool");
}

Answer to_bytes(const Call& call) {
  if (call.are(Kind::bytes)) return call[0];
  if (!call.are(Kind::string)) return no_overload();
  SP_CHECK(call.budget.spend_bytes(call[0].as_string().size()));
  const auto bytes = as_bytes(call[0].as_string());
  return Value(Bytes(bytes.begin(), bytes.end()));
}

Answer to_string_value(const Call& call) {
  if (call.are(Kind::bytes)) SP_CHECK(call.budget.spend_bytes(call[0].as_bytes().size()));
  return to_text(call[0]);
}

Answer to_timestamp(const Call& call) {
  if (call.are(Kind::timestamp)) return call[0];
  if (call.are(Kind::int64)) return timestamp_from(call[0].as_int(), 0);
  return call.are(Kind::string) ? parse_timestamp(call[0].as_string()) : Answer(no_overload());
}

Answer to_duration(const Call& call) {
  if (call.are(Kind::duration)) return call[0];
  return call.are(Kind::string) ? parse_duration_text(call[0].as_string()) : Answer(no_overload());
}

Answer encode_base64(const Call& call) {
  if (!call.are(Kind::bytes)) return no_overload();
  SP_CHECK(call.budget.spend_bytes(call[0].as_bytes().size() * 4 / 3));
  return Value(base64(call[0].as_bytes()));
}

Answer decode_base64(const Call& call) {
  if (!call.are(Kind::string)) return no_overload();
  SP_CHECK(call.budget.spend_bytes(call[0].as_string().size()));
  std::string text = call[0].as_string();
  if (!text.contains('=')) text.append((4 - text.size() % 4) % 4, '=');  // padding may be left out
  auto bytes = from_base64(text);
  if (!bytes) return failed("invalid_argument: the string is not base64");
  return Value(*std::move(bytes));
}

constexpr std::array kFunctions = {
    Function{"int", Style::global, "int -> int; uint -> int; double -> int; string -> int; timestamp -> int", to_int},
    Function{"uint", Style::global, "uint -> uint; int -> uint; double -> uint; string -> uint", to_uint},
    Function{"double", Style::global, "double -> double; int -> double; uint -> double; string -> double", to_double},
    Function{"bool", Style::global, "bool -> bool; string -> bool", to_bool},
    Function{"bytes", Style::global, "bytes -> bytes; string -> bytes", to_bytes},
    Function{"string", Style::global,
             "string -> string; bool -> string; int -> string; uint -> string; double -> string; bytes -> string; "
             "timestamp -> string; duration -> string",
             to_string_value},
    Function{"timestamp", Style::global, "timestamp -> timestamp; string -> timestamp; int -> timestamp", to_timestamp},
    Function{"duration", Style::global, "duration -> duration; string -> duration", to_duration},
    Function{"base64.encode", Style::global, "bytes -> string", encode_base64},
    Function{"base64.decode", Style::global, "string -> bytes", decode_base64},
};

}  // namespace

std::string double_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return number == 0 && std::signbit(number) ? "-0" : json_number(number);
}

Answer to_text(const Value& value) {
  switch (value.kind()) {
    case Kind::string: return Value(value.as_string());
    case Kind::boolean: return Value(value.as_bool() ? "true" : "false");
    case Kind::int64: return Value(std::to_string(value.as_int()));
    case Kind::uint64: return Value(std::to_string(value.as_uint()));
    case Kind::float64: return Value(double_text(value.as_double()));
    case Kind::timestamp:
    case Kind::duration: return Value(time_text(value));
    case Kind::bytes: {
      const auto text = as_text(value.as_bytes());
      if (!is_valid_utf8(text)) return failed("invalid UTF-8 in bytes, cannot convert to string");
      return Value(text);
    }
    default: return no_overload();
  }
}

std::span<const Function> conversion_functions() { return kFunctions; }

}  // namespace sallyport::expr
