#include "shared/recipe/scalar.h"

#include "shared/base/json.h"
#include "shared/base/text.h"

#include <algorithm>
#include <charconv>

namespace sallyport::yaml {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

enum class Number { none, integer, fraction };

// The number grammar of JSON (RFC 8259 §6).
Number classify(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto whole = digits(text);
  if (whole == 0 || (whole > 1 && text.front() == '0')) return Number::none;
  text.remove_prefix(whole);
  if (text.empty()) return Number::integer;
  if (text.starts_with('.')) {
    const auto fraction = digits(text.substr(1));
    if (fraction == 0) return Number::none;
    text.remove_prefix(1 + fraction);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    const auto exponent = digits(text);
    if (exponent == 0) return Number::none;
    text.remove_prefix(exponent);
  }
  return text.empty() ? Number::fraction : Number::none;
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Of the line break that `text` begins with, 0 when there is none. The kinds of YAML 1.1 §4.2: CR LF, CR, LF, NEL, LS,
// PS.
std::size_t break_length(std::string_view text) {
  if (text.starts_with("\r\n")) return 2;
  if (text.starts_with('\n') || text.starts_with('\r')) return 1;
  if (text.starts_with("\xC2\x85")) return 2;
  return text.starts_with("\xE2\x80\xA8") || text.starts_with("\xE2\x80\xA9") ? 3 : 0;
}

std::size_t sequence_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

std::optional<Value> plain_value(std::string_view text) {
  if (text.empty() || text == "~" || text == "null") return Value();
  if (text == "true" || text == "false") return Value(text == "true");
  const auto number = classify(text);
  if (number == Number::none) return Value(text);
  if (number == Number::integer) {
    const auto whole = whole_number<std::int64_t>(text);
    return whole ? std::optional(Value(*whole)) : std::nullopt;
  }
  const auto real = whole_number<double>(text);
  if (!real) return std::nullopt;
  const auto whole = whole_number<std::int64_t>(json_number(*real));
  return whole ? Value(*whole) : Value(*real);
}

std::string_view without_bom(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text; }

std::optional<Position> first_invalid_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::nullopt;
  std::size_t good = 0;
  for (auto rest = text; !rest.empty(); rest = text.substr(good)) {
    const auto line = rest.substr(0, rest.find('\n'));
    if (!is_valid_utf8(line)) break;
    good = std::min(text.size(), good + line.size() + 1);
  }
  while (good < text.size() && is_valid_utf8(text.substr(good, sequence_length(text[good])))) {
    good += sequence_length(text[good]);
  }
  return position_of_byte(text, good);
}

Position position_of_byte(std::string_view text, std::size_t offset) {
  Position at{1, 1};
  for (std::size_t i = 0; i < std::min(offset, text.size());) {
    if (const auto length = break_length(text.substr(i))) {
      at = {at.line + 1, 1};
      i += length;
    } else {
      ++at.column;
      i += sequence_length(text[i]);
    }
  }
  return at;
}

std::size_t offset_of(std::string_view text, Position at) {
  std::size_t offset = 0;
  for (int line = 1; line < at.line && offset < text.size();) {
    const auto length = break_length(text.substr(offset));
    offset += length > 0 ? length : sequence_length(text[offset]);
    line += length > 0 ? 1 : 0;
  }
  for (int column = 1; column < at.column && offset < text.size(); ++column) offset += sequence_length(text[offset]);
  return std::min(offset, text.size());
}

char byte_at(std::string_view text, Position at) {
  const auto offset = offset_of(text, at);
  return offset < text.size() ? text[offset] : '\0';
}

}  // namespace sallyport::yaml
