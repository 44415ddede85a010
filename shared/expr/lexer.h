#pragma once

#include "shared/expr/expr.h"

namespace sallyport::expr {

// One lexical element. `text` views the source. For strings and bytes `value` holds what the literal stands for, and
// for quoted identifiers `text` is what is between the backticks; numbers are read by the parser, which knows their
// sign.
struct Token {
  enum class Kind { end, identifier, quoted, integer, unsigned_integer, floating, string, bytes, punctuation };

  Kind kind = Kind::end;
  std::string_view text;
  std::size_t offset = 0;
  Value value;

  std::size_t end = 0;  // offset behind the last byte

  bool is(std::string_view punctuation) const { return kind == Kind::punctuation && text == punctuation; }
  bool is_word(std::string_view word) const { return kind == Kind::identifier && text == word; }
};

// Cuts valid UTF-8 into tokens (cel-spec, "Syntax"). The source must outlive the lexer and its tokens.
class Lexer {
 public:
  explicit Lexer(std::string_view source, std::size_t start = 0) : source_(source), at_(start) {}

  Outcome<Token> next();

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  void skip_blanks();
  Token cut(Token::Kind kind, std::size_t start) const;
  Outcome<Token> number();
  Outcome<Token> quoted_identifier();
  Outcome<Token> punctuation();
  bool at_string() const;
  Outcome<Token> string();

  std::string_view source_;
  std::size_t at_;
};

enum class LiteralKind { string, bytes };
// What stands between the quotes of a literal that is not raw, its escapes resolved. `offset` is where `body` starts.
Outcome<std::string> unescape(std::string_view body, std::size_t offset, LiteralKind kind);

}  // namespace sallyport::expr
