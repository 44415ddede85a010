#include "shared/expr/lexer.h"

#include <array>

namespace sallyport::expr {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

std::unexpected<Problem> wrong(std::size_t offset, std::string message) {
  return std::unexpected(Problem{.message = std::move(message), .offset = offset});
}

constexpr std::array<std::string_view, 24> kPunctuation = {"&&", "||", "==", "!=", "<=", ">=", "(", ")",
                                                           "[",  "]",  "{",  "}",  ",",  ".",  ":", "?",
                                                           "<",  ">",  "+",  "-",  "*",  "/",  "%", "!"};

}  // namespace

void Lexer::skip_blanks() {
  while (at_ < source_.size()) {
    if (is_blank(peek())) {
      ++at_;
    } else if (peek() == '/' && peek(1) == '/') {
      at_ = std::min(source_.find_first_of("\r\n", at_), source_.size());
    } else {
      return;
    }
  }
}

Token Lexer::cut(Token::Kind kind, std::size_t start) const {
  return Token{.kind = kind, .text = source_.substr(start, at_ - start), .offset = start, .value = {}, .end = at_};
}

Outcome<Token> Lexer::next() {
  skip_blanks();
  const auto start = at_;
  if (at_ >= source_.size()) return cut(Token::Kind::end, start);
  if (at_string()) return string();
  if (starts_name(peek())) {
    while (continues_name(peek())) ++at_;
    return cut(Token::Kind::identifier, start);
  }
  if (is_digit(peek()) || (peek() == '.' && is_digit(peek(1)))) return number();
  if (peek() == '`') return quoted_identifier();
  return punctuation();
}

Outcome<Token> Lexer::number() {
  const auto start = at_;
  auto kind = Token::Kind::integer;
  if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && is_hex(peek(2))) {
    for (at_ += 2; is_hex(peek());) ++at_;
  } else {
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && is_digit(peek(1))) {
      kind = Token::Kind::floating;
      for (++at_; is_digit(peek());) ++at_;
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
      kind = Token::Kind::floating;
      for (at_ += 1 + sign; is_digit(peek());) ++at_;
    }
  }
  if (kind == Token::Kind::integer && (peek() == 'u' || peek() == 'U')) {
    auto token = cut(Token::Kind::unsigned_integer, start);
    token.end = ++at_;
    if (!continues_name(peek())) return token;
  }
  if (continues_name(peek())) return wrong(at_, "syntax error: a number runs into a name");
  return cut(kind, start);
}

Outcome<Token> Lexer::quoted_identifier() {
  const auto start = at_++;
  while (continues_name(peek()) || peek() == '.' || peek() == '-' || peek() == '/' || peek() == ' ') ++at_;
  if (peek() != '`' || at_ == start + 1)
    return wrong(start, "syntax error: a `quoted name` is empty, unfinished or holds a forbidden character");
  ++at_;
  auto token = cut(Token::Kind::quoted, start);
  token.text = token.text.substr(1, token.text.size() - 2);
  return token;
}

Outcome<Token> Lexer::punctuation() {
  const auto start = at_;
  const auto rest = source_.substr(at_);
  for (auto sign : kPunctuation) {
    if (!rest.starts_with(sign)) continue;
    at_ += sign.size();
    return cut(Token::Kind::punctuation, start);
  }
  if (peek() == '=') return wrong(start, "syntax error: '=' is not an operator; equality is '=='");
  if (peek() == '&' || peek() == '|')
    return wrong(start, "syntax error: a single '&' or '|' is not an operator; use '&&', '||' or math.bitAnd()");
  return wrong(start, "syntax error: unexpected character");
}

bool Lexer::at_string() const {
  std::size_t prefix = 0;
  if (peek() == 'b' || peek() == 'B') ++prefix;
  if (peek(prefix) == 'r' || peek(prefix) == 'R') ++prefix;
  return peek(prefix) == '"' || peek(prefix) == '\'';
}

Outcome<Token> Lexer::string() {
  const auto start = at_;
  auto kind = LiteralKind::string;
  bool raw = false;
  for (; peek() != '"' && peek() != '\''; ++at_) {
    if (peek() == 'b' || peek() == 'B') {
      kind = LiteralKind::bytes;
    } else {
      raw = true;
    }
  }
  const char quote = peek();
  const bool triple = peek(1) == quote && peek(2) == quote;
  const std::string closing(triple ? 3 : 1, quote);
  at_ += closing.size();
  const auto body = at_;
  while (!source_.substr(at_).starts_with(closing)) {
    if (at_ >= source_.size()) return wrong(start, "syntax error: unterminated string literal");
    if (!triple && (peek() == '\n' || peek() == '\r'))
      return wrong(start, "syntax error: unterminated string literal; only triple-quoted strings span lines");
    at_ += !raw && peek() == '\\' && at_ + 1 < source_.size() ? 2 : 1;
    if (at_ > source_.size()) return wrong(start, "syntax error: unterminated string literal");
  }
  const auto inside = source_.substr(body, at_ - body);
  at_ += closing.size();
  auto token = cut(kind == LiteralKind::bytes ? Token::Kind::bytes : Token::Kind::string, start);
  auto text = raw ? Outcome<std::string>(std::string(inside)) : unescape(inside, body, kind);
  if (!text) return std::unexpected(std::move(text).error());
  if (kind == LiteralKind::string) {
    token.value = Value(*std::move(text));
  } else {
    const auto bytes = as_bytes(*text);
    token.value = Value(Bytes(bytes.begin(), bytes.end()));
  }
  return token;
}

}  // namespace sallyport::expr
