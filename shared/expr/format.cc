#include "shared/expr/format.h"

#include "shared/base/result.h"
#include "shared/expr/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;
using Text = std::expected<std::string, Failure>;

constexpr std::size_t kMaxPrecision = 100;
constexpr std::size_t kDefaultPrecision = 6;

std::unexpected<Failure> refused(std::string_view what, const Value& value) {
  return failed(fmt::format("error during formatting: {}, was given {}", what, to_string(value.kind())));
}

Text text_of(const Value& value, Budget& budget);
Text plain_double(double number, Budget& budget);

Text list_text(const ValueList& list, Budget& budget) {
  std::string out = "[";
  for (const auto& element : list) {
    SP_TRY(const auto text, text_of(element, budget));
    out += (out.size() > 1 ? ", " : "") + text;
  }
  return out + "]";
}

Text map_text(const ValueMap& map, Budget& budget) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [key, value] : map) {
    SP_TRY(auto key_text, text_of(key, budget));
    SP_TRY(auto value_text, text_of(value, budget));
    entries.emplace_back(std::move(key_text), std::move(value_text));
  }
  std::ranges::sort(entries);
  std::string out = "{";
  for (const auto& [key, value] : entries) out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", key, value);
  return out + "}";
}

// Valid UTF-8 of `bytes`, each run of what is not replaced by one U+FFFD.
std::string lossy_utf8(std::string_view bytes) {
  std::string out;
  bool broken = false;
  while (!bytes.empty()) {
    std::size_t length = 0;
    for (std::size_t n = 1; n <= 4 && n <= bytes.size() && length == 0; ++n)
      length = is_valid_utf8(bytes.substr(0, n)) ? n : 0;
    if (length > 0) out += bytes.substr(0, length);
    if (length == 0 && !broken) out += "\uFFFD";
    broken = length == 0;
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

Text text_of(const Value& value, Budget& budget) {
  SP_CHECK(budget.spend(1));
  switch (value.kind()) {
    case Kind::null: return "null";
    case Kind::type: return value.as_type().name;
    case Kind::float64: return plain_double(value.as_double(), budget);
    case Kind::list: return list_text(value.as_list(), budget);
    case Kind::map: return map_text(value.as_map(), budget);
    case Kind::handle:
      return refused(
          "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and "
          "timestamps",
          value);
    case Kind::bytes:
      SP_CHECK(budget.spend_bytes(value.as_bytes().size()));
      return lossy_utf8(as_text(value.as_bytes()));
    default: break;
  }
  if (value.is(Kind::string)) SP_CHECK(budget.spend_bytes(value.as_string().size()));
  SP_TRY(const auto text, to_text(value));
  return text.as_string();
}

std::optional<std::string> special_double(const Value& value) {
  if (!value.is(Kind::float64) || std::isfinite(value.as_double())) return std::nullopt;
  return double_text(value.as_double());
}

// The shortest digits that mean this double, never with an exponent.
std::string written_out(double number) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.begin(), buffer.end(), std::abs(number), std::chars_format::scientific).ptr;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const auto e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);

  const auto count = static_cast<int>(digits.size()), point = exponent + 1;
  if (point <= 0) {
    digits.insert(0, "0." + std::string(static_cast<std::size_t>(-point), '0'));
  } else if (point < count) {
    digits.insert(static_cast<std::size_t>(point), ".");
  } else {
    digits.append(static_cast<std::size_t>(point - count), '0');
  }
  return (std::signbit(number) ? "-" : "") + digits;
}

Text plain_double(double number, Budget& budget) {
  if (!std::isfinite(number)) return double_text(number);
  auto text = written_out(number);
  SP_CHECK(budget.spend_bytes(text.size()));
  return text;
}

Text decimal(const Value& value, Budget& budget) {
  if (value.is(Kind::int64)) return std::to_string(value.as_int());
  if (value.is(Kind::uint64)) return std::to_string(value.as_uint());
  if (value.is(Kind::float64)) return plain_double(value.as_double(), budget);
  return refused("decimal clause can only be used on integers", value);
}

// `%f` and `%e`: fmt rounds exactly, halves to even.
Text floating(const Value& value, char conversion, std::size_t precision) {
  if (auto special = special_double(value)) return *std::move(special);
  double number = 0;
  if (value.is(Kind::float64)) {
    number = value.as_double();
  } else if (value.is(Kind::int64)) {
    number = static_cast<double>(value.as_int());
  } else if (value.is(Kind::uint64)) {
    number = static_cast<double>(value.as_uint());
  } else {
    return refused(conversion == 'e' ? "scientific clause can only be used on doubles"
                                     : "fixed-point clause can only be used on doubles",
                   value);
  }
  return conversion == 'e' ? fmt::format("{:.{}e}", number, precision) : fmt::format("{:.{}f}", number, precision);
}

std::string in_base(const Value& value, char conversion) {
  const bool negative = value.is(Kind::int64) && value.as_int() < 0;
  const auto magnitude = value.is(Kind::uint64) ? value.as_uint()
                         : negative             ? 0 - static_cast<std::uint64_t>(value.as_int())
                                                : static_cast<std::uint64_t>(value.as_int());
  const std::string sign = negative ? "-" : "";
  switch (conversion) {
    case 'b': return sign + fmt::format("{:b}", magnitude);
    case 'o': return sign + fmt::format("{:o}", magnitude);
    case 'x': return sign + fmt::format("{:x}", magnitude);
    default: return sign + fmt::format("{:X}", magnitude);
  }
}

Text hexadecimal(const Value& value, char conversion, Budget& budget) {
  if (!value.is(Kind::string) && !value.is(Kind::bytes)) {
    return refused("only integers, byte buffers, and strings can be formatted as hex", value);
  }
  const std::span<const std::byte> bytes =
      value.is(Kind::string) ? as_bytes(value.as_string()) : std::span<const std::byte>(value.as_bytes());
  SP_CHECK(budget.spend_bytes(bytes.size() * 2));
  auto text = hex(bytes);
  if (conversion == 'X')
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

Text converted(const Value& value, char conversion, std::size_t precision, Budget& budget) {
  const bool is_integer = value.is(Kind::int64) || value.is(Kind::uint64);
  switch (conversion) {
    case 's': return text_of(value, budget);
    case 'd': return decimal(value, budget);
    case 'f':
    case 'e': return floating(value, conversion, precision);
    case 'b':
      if (value.is(Kind::boolean)) return value.as_bool() ? "1" : "0";
      if (!is_integer) return refused("only integers and bools can be formatted as binary", value);
      return in_base(value, conversion);
    case 'o':
      if (!is_integer) return refused("octal clause can only be used on integers", value);
      return in_base(value, conversion);
    case 'x':
    case 'X': return is_integer ? Text(in_base(value, conversion)) : hexadecimal(value, conversion, budget);
    default: return failed("could not parse formatting clause: unrecognized formatting clause");
  }
}

// The digits of ".3" off the front; nullopt when there are none or too many.
std::optional<std::size_t> take_precision(std::string_view& rest) {
  if (!rest.starts_with('.')) return kDefaultPrecision;
  rest.remove_prefix(1);
  std::size_t precision = 0, digits = 0;
  for (; !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; rest.remove_prefix(1), ++digits) {
    precision = std::min(precision * 10 + static_cast<std::size_t>(rest.front() - '0'), kMaxPrecision + 1);
  }
  if (digits == 0 || precision > kMaxPrecision) return std::nullopt;
  return precision;
}

}  // namespace

Answer formatted(std::string_view pattern, const ValueList& arguments, Budget& budget) {
  SP_CHECK(budget.spend_bytes(pattern.size()));
  std::string out;
  std::size_t next = 0;
  for (auto rest = pattern; !rest.empty();) {
    const auto literal = rest.substr(0, rest.find('%'));
    out += literal;
    rest.remove_prefix(literal.size());
    if (rest.empty()) break;
    rest.remove_prefix(1);
    if (rest.starts_with('%')) {
      out += '%';
      rest.remove_prefix(1);
      continue;
    }
    const auto precision = take_precision(rest);
    if (!precision || rest.empty())
      return failed("could not parse formatting clause: it is unfinished or its precision is wrong");
    if (next >= arguments.size())
      return failed(fmt::format("index {} out of range: format() has more clauses than arguments", next));
    SP_TRY(const auto text, converted(arguments[next++], rest.front(), *precision, budget));
    SP_CHECK(budget.spend_bytes(text.size()));
    out += text;
    rest.remove_prefix(1);
  }
  return Value(std::move(out));
}

}  // namespace sallyport::expr
