#include "shared/base/result.h"
#include "shared/expr/format.h"
#include "shared/expr/functions.h"
#include "shared/expr/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

std::unexpected<Failure> index_range() {
  return failed("invalid_argument: index out of range: it is outside the string");
}

// Where the `index`-th code point starts; the text's length is allowed.
std::expected<std::size_t, Failure> position(std::string_view text, std::int64_t index) {
  if (index < 0) return index_range();
  const auto at = byte_offset(text, static_cast<std::size_t>(index));
  if (!at) return index_range();
  return *at;
}

// Pays for reading every string argument once.
std::expected<void, Failure> pay(const Call& call) {
  std::size_t bytes = 0;
  for (const auto& argument : call.arguments) bytes += argument.is(Kind::string) ? argument.as_string().size() : 0;
  return call.budget.spend_bytes(bytes);
}

Answer char_at(const Call& call) {
  if (!call.are(Kind::string, Kind::int64)) return no_overload();
  SP_CHECK(pay(call));
  std::string_view text = call[0].as_string();
  SP_TRY(const auto start, position(text, call[1].as_int()));
  text.remove_prefix(start);
  return Value(text.substr(0, byte_offset(text, 1).value_or(0)));
}

Value code_points_before(std::string_view text, std::size_t at) {
  return Value(at == std::string_view::npos ? std::int64_t{-1}
                                            : static_cast<std::int64_t>(utf8_length(text.substr(0, at))));
}

// `find` looks from a byte of the text. Nothing begins at its end or beyond, but for the empty part, which is at the
// end then.
template <class Find>
Answer searched(const Call& call, Find find) {
  const bool given = call.are(Kind::string, Kind::string, Kind::int64);
  if (!given && !call.are(Kind::string, Kind::string)) return no_overload();
  const std::string_view text = call[0].as_string(), part = call[1].as_string();
  SP_CHECK(pay_for_search(text, part, call.budget));
  if (!given) return code_points_before(text, find(text, part, std::nullopt));
  if (call[2].as_int() < 0) return index_range();
  const auto at = byte_offset(text, static_cast<std::size_t>(call[2].as_int())).value_or(text.size());
  if (part.empty()) return code_points_before(text, at);
  return code_points_before(text, at == text.size() ? std::string_view::npos : find(text, part, at));
}
using From = std::optional<std::size_t>;
Answer index_of(const Call& call) {
  return searched(call, [](auto text, auto part, From from) { return text.find(part, from.value_or(0)); });
}
Answer last_index_of(const Call& call) {
  return searched(call, [](auto text, auto part, From from) { return text.rfind(part, from.value_or(text.npos)); });
}

Answer substring(const Call& call) {
  const bool bounded = call.are(Kind::string, Kind::int64, Kind::int64);
  if (!bounded && !call.are(Kind::string, Kind::int64)) return no_overload();
  SP_CHECK(pay(call));
  const std::string_view text = call[0].as_string();
  SP_TRY(const auto start, position(text, call[1].as_int()));
  std::size_t end = text.size();
  if (bounded) {
    SP_TRY(end, position(text, call[2].as_int()));
  }
  if (end < start) return failed("invalid_argument: invalid substring range: the start is behind the end");
  return Value(text.substr(start, end - start));
}

template <class Change>
Answer mapped(const Call& call, Change change) {
  if (!call.are(Kind::string)) return no_overload();
  SP_CHECK(pay(call));
  std::string text = call[0].as_string();
  for (char& c : text) c = change(c);
  return Value(std::move(text));
}
Answer lower_ascii(const Call& call) {
  return mapped(call, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
}
Answer upper_ascii(const Call& call) {
  return mapped(call, [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
}

// Negative: no limit.
std::size_t limit_of(const Call& call, std::size_t argument) {
  if (call.size() <= argument || call[argument].as_int() < 0) return SIZE_MAX;
  return static_cast<std::size_t>(call[argument].as_int());
}

// The next place to replace or split at: an empty `part` stands between all code points.
std::size_t next_place(std::string_view text, std::string_view part, std::size_t from) {
  if (!part.empty()) return text.find(part, from);
  const auto step = byte_offset(text.substr(from), 1);
  return step ? from + *step : std::string_view::npos;
}

Answer replace(const Call& call) {
  const bool limited = call.are(Kind::string, Kind::string, Kind::string, Kind::int64);
  if (!limited && !call.are(Kind::string, Kind::string, Kind::string)) return no_overload();
  SP_CHECK(pay_for_search(call[0].as_string(), call[1].as_string(), call.budget));
  const std::string_view text = call[0].as_string(), part = call[1].as_string(), with = call[2].as_string();
  std::string out;
  std::size_t done = 0;
  std::size_t at = part.empty() ? 0 : text.find(part);
  for (auto left = limit_of(call, 3); left > 0 && at != std::string_view::npos; --left) {
    SP_CHECK(call.budget.spend(1 + with.size() / 10));
    out.append(text.substr(done, at - done)).append(with);
    done = at + part.size();
    at = next_place(text, part, done);
  }
  return Value(out.append(text.substr(done)));
}

Answer split(const Call& call) {
  const bool limited = call.are(Kind::string, Kind::string, Kind::int64);
  if (!limited && !call.are(Kind::string, Kind::string)) return no_overload();
  SP_CHECK(pay_for_search(call[0].as_string(), call[1].as_string(), call.budget));
  const std::string_view text = call[0].as_string(), mark = call[1].as_string();
  const auto limit = limit_of(call, 2);
  ValueList parts;
  if (limit == 0 || (mark.empty() && text.empty())) return Value(std::move(parts));
  std::size_t done = 0;
  while (parts.size() + 1 < limit) {
    const auto at = next_place(text, mark, done);
    if (at == std::string_view::npos || (mark.empty() && at == text.size())) break;
    SP_CHECK(call.budget.spend(1));
    parts.emplace_back(text.substr(done, at - done));
    done = at + mark.size();
  }
  parts.emplace_back(text.substr(done));
  return Value(std::move(parts));
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

Answer trim(const Call& call) {
  if (!call.are(Kind::string)) return no_overload();
  SP_CHECK(pay(call));
  const std::string_view text = call[0].as_string();
  std::size_t first = text.size(), last = 0;
  for (auto rest = text; !rest.empty();) {
    const auto at = text.size() - rest.size();
    if (is_space(take_code_point(rest))) continue;
    first = std::min(first, at);
    last = text.size() - rest.size();
  }
  return Value(first < last ? text.substr(first, last - first) : std::string_view());
}

Answer reverse(const Call& call) {
  if (!call.are(Kind::string)) return no_overload();
  SP_CHECK(pay(call));
  std::string out;
  std::vector<char32_t> code_points;
  for (std::string_view rest = call[0].as_string(); !rest.empty();) code_points.push_back(take_code_point(rest));
  for (auto it = code_points.rbegin(); it != code_points.rend(); ++it) append_code_point(out, *it);
  return Value(std::move(out));
}

Answer join(const Call& call) {
  if (!call.are(Kind::list) && !call.are(Kind::list, Kind::string)) return no_overload();
  const std::string_view mark = call.size() == 2 ? std::string_view(call[1].as_string()) : std::string_view();
  std::string out;
  for (const auto& part : call[0].as_list()) {
    if (!part.is(Kind::string)) return no_overload();
    SP_CHECK(call.budget.spend(1 + (part.as_string().size() + mark.size()) / 10));
    if (&part != call[0].as_list().data()) out += mark;
    out += part.as_string();
  }
  return Value(std::move(out));
}

Answer quote(const Call& call) {
  if (!call.are(Kind::string)) return no_overload();
  SP_CHECK(pay(call));
  constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\\"", kLetters = "abfnrtv\\\"";
  std::string out = "\"";
  for (char c : call[0].as_string()) {
    const auto special = kSpecial.find(c);
    if (special != std::string_view::npos) out += '\\';
    out += special != std::string_view::npos ? kLetters[special] : c;
  }
  return Value(out + "\"");
}

Answer format(const Call& call) {
  if (!call.are(Kind::string, Kind::list)) return no_overload();
  return formatted(call[0].as_string(), call[1].as_list(), call.budget);
}

constexpr std::string_view kChange = "string -> string";
constexpr std::string_view kFind = "string, string -> int; string, string, int -> int";

constexpr std::array kFunctions = {
    Function{"charAt", Style::receiver, "string, int -> string", char_at},
    Function{"indexOf", Style::receiver, kFind, index_of},
    Function{"lastIndexOf", Style::receiver, kFind, last_index_of},
    Function{"substring", Style::receiver, "string, int -> string; string, int, int -> string", substring},
    Function{"lowerAscii", Style::receiver, kChange, lower_ascii},
    Function{"upperAscii", Style::receiver, kChange, upper_ascii},
    Function{"trim", Style::receiver, kChange, trim},
    Function{"reverse", Style::receiver, kChange, reverse},
    Function{"replace", Style::receiver, "string, string, string -> string; string, string, string, int -> string",
             replace},
    Function{"split", Style::receiver, "string, string -> list(string); string, string, int -> list(string)", split},
    Function{"join", Style::receiver, "list(string) -> string; list(string), string -> string", join},
    Function{"format", Style::receiver, "string, list(dyn) -> string", format},
    Function{"strings.quote", Style::global, kChange, quote},
};

}  // namespace

std::span<const Function> text_extension_functions() { return kFunctions; }

}  // namespace sallyport::expr
