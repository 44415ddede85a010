#include "shared/expr/lexer.h"
#include "shared/expr/unicode.h"

#include <charconv>

namespace sallyport::expr {
namespace {

constexpr std::string_view kSimple = "abfnrtv\\?\"'`";
constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\?\"'`";

std::unexpected<Problem> wrong(std::size_t offset, std::string message) {
  return std::unexpected(Problem{.message = std::move(message), .offset = offset});
}

// An escape that names a number: so many digits of this base, after `skip` characters.
struct Numeric {
  std::size_t skip;
  std::size_t digits;
  int base;
};

std::optional<Numeric> numeric_escape(char c) {
  if (c == 'x' || c == 'X') return Numeric{1, 2, 16};
  if (c == 'u') return Numeric{1, 4, 16};
  if (c == 'U') return Numeric{1, 8, 16};
  if (c >= '0' && c <= '3') return Numeric{0, 3, 8};
  return std::nullopt;
}

constexpr std::size_t kSurrogateEscape = 6;  // \uDC00

// The second half of a code point beyond U+FFFF, if an escape of one comes next.
std::optional<std::uint32_t> low_surrogate(std::string_view text) {
  if (text.size() < kSurrogateEscape || !text.starts_with("\\u")) return std::nullopt;
  std::uint32_t number = 0;
  const auto* last = text.data() + kSurrogateEscape;
  const auto [end, problem] = std::from_chars(text.data() + 2, last, number, 16);
  if (problem != std::errc() || end != last || number < 0xDC00 || number > 0xDFFF) return std::nullopt;
  return number;
}

}  // namespace

Outcome<std::string> unescape(std::string_view body, std::size_t offset, LiteralKind kind) {
  std::string out;
  out.reserve(body.size());
  for (std::size_t at = 0; at < body.size();) {
    if (body[at] != '\\') {
      out += body[at++];
      continue;
    }
    const auto escape = offset + at++;
    if (const auto simple = kSimple.find(body[at]); simple != std::string_view::npos) {
      out += kMeaning[simple];
      ++at;
      continue;
    }
    const auto form = numeric_escape(body[at]);
    if (!form) return wrong(escape, "syntax error: unknown escape sequence");
    if (kind == LiteralKind::bytes && (body[at] == 'u' || body[at] == 'U'))
      return wrong(escape,
                   "syntax error: bytes have no \\u and \\U; write the octets with \\x, or the character itself");
    const auto digits = body.substr(at + form->skip, form->digits);
    std::uint32_t number = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number, form->base);
    if (digits.size() < form->digits || problem != std::errc() || end != digits.data() + digits.size()) {
      return wrong(escape, "syntax error: an escape sequence has too few digits");
    }
    at += form->skip + form->digits;
    if (const auto low = form->digits == 4 ? low_surrogate(body.substr(at)) : std::nullopt;
        low && number >= 0xD800 && number <= 0xDBFF) {
      number = 0x10000 + ((number - 0xD800) << 10) + (*low - 0xDC00);
      at += kSurrogateEscape;
    }
    if (kind == LiteralKind::bytes) {
      out += static_cast<char>(number);
    } else if (is_scalar_value(number)) {
      append_code_point(out, number);
    } else {
      return wrong(escape, "syntax error: an escape sequence is not a Unicode code point");
    }
  }
  return out;
}

}  // namespace sallyport::expr
