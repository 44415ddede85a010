#include "agent/policy/sql_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sallyport::policy {
namespace {

constexpr std::size_t kMaxStatement = 1u << 20;
constexpr auto kEnd = std::string_view::npos;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool continues_word(char c) { return starts_word(c) || is_digit(c) || c == '$'; }

class Scanner {
 public:
  Scanner(std::string_view text, SqlDialect dialect) : text_(text), dialect_(dialect) {}

  Result<std::vector<SqlToken>> run() {
    while (at_ < text_.size()) SP_CHECK(step());
    return std::move(tokens_);
  }

 private:
  bool postgres() const { return dialect_ == SqlDialect::postgres; }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  std::unexpected<Error> refuse(std::string why) const {
    return fail(Errc::invalid, fmt::format("the statement has {} at character {}", why, at_ + 1));
  }

  void emit(SqlToken::Kind kind, std::size_t end, std::size_t skip = 0) {
    tokens_.push_back({kind, text_.substr(at_ + skip, end - at_ - skip), at_});
    at_ = end;
  }

  template <class Predicate>
  std::size_t end_of(std::size_t from, Predicate belongs) const {
    while (from < text_.size() && belongs(text_[from])) ++from;
    return from;
  }

  Result<void> step() {
    const char c = peek();
    if (c == '\0') return refuse("a NUL character");
    if (is_space(c)) return ++at_, Result<void>();
    if (c == '-' && peek(1) == '-') return skip_line_comment();
    if (c == '/' && peek(1) == '*') return skip_block_comment();
    if (c == '\'') return quoted('\'', escapes_here() ? '\\' : '\'');
    if (c == '"') return quoted('"', '"');
    if (c == '`' && !postgres()) return quoted('`', '`');
    if (c == '[' && !postgres()) return bracketed();
    if (c == '$') return dollar();
    if (c == ':') return colon();
    if ((c == '?' || c == '@' || c == '#') && !postgres()) return refuse("a positional placeholder; write :name");
    if (starts_word(c)) return emit(SqlToken::Kind::word, end_of(at_, continues_word)), Result<void>();
    if (is_digit(c))
      return emit(SqlToken::Kind::number, end_of(at_, [](char d) { return is_digit(d) || d == '.' || d == '_'; })),
             Result<void>();
    return emit(SqlToken::Kind::symbol, at_ + 1), Result<void>();
  }

  // PostgreSQL's E'...' has backslash escapes; the E touches the quote.
  bool escapes_here() const {
    if (!postgres() || tokens_.empty()) return false;
    const auto& last = tokens_.back();
    return last.kind == SqlToken::Kind::word && (last.text == "e" || last.text == "E") && last.offset + 1 == at_;
  }

  Result<void> skip_line_comment() {
    at_ = std::min(text_.size(), text_.find_first_of(postgres() ? "\r\n" : "\n", at_));
    return {};
  }

  Result<void> skip_block_comment() {
    std::size_t depth = 1, at = at_ + 2;
    for (; depth > 0; ++at) {
      if (at + 1 >= text_.size()) return refuse("a comment that is not closed");
      const auto pair = text_.substr(at, 2);
      if (pair == "*/") --depth, ++at;
      if (pair == "/*" && postgres()) ++depth, ++at;
    }
    at_ = at;
    return {};
  }

  Result<void> quoted(char quote, char escape) {
    for (std::size_t at = at_ + 1; at < text_.size(); ++at) {
      if (escape == '\\' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        if (at + 1 >= text_.size() || text_[at + 1] != quote)
          return emit(SqlToken::Kind::quoted, at + 1), Result<void>();
        ++at;
      } else if (text_[at] == '\0') {
        break;
      }
    }
    return refuse("a quote that is not closed");
  }

  Result<void> bracketed() {
    const auto end = text_.find(']', at_);
    if (end == kEnd) return refuse("a [ that is not closed");
    return emit(SqlToken::Kind::quoted, end + 1), Result<void>();
  }

  Result<void> dollar() {
    if (!postgres() || is_digit(peek(1))) return refuse("a positional placeholder; write :name");
    const auto tag_end = end_of(at_ + 1, [](char c) { return starts_word(c) || is_digit(c); });
    if (tag_end >= text_.size() || text_[tag_end] != '$') return refuse("a stray $");
    const auto tag = text_.substr(at_, tag_end + 1 - at_);
    const auto close = text_.find(tag, tag_end + 1);
    if (close == kEnd) return refuse("a dollar quote that is not closed");
    return emit(SqlToken::Kind::quoted, close + tag.size()), Result<void>();
  }

  Result<void> colon() {
    if (peek(1) == ':') return emit(SqlToken::Kind::symbol, at_ + 2), Result<void>();
    if (!starts_word(peek(1))) return emit(SqlToken::Kind::symbol, at_ + 1), Result<void>();
    return emit(SqlToken::Kind::parameter, end_of(at_ + 1, [](char c) { return starts_word(c) || is_digit(c); }), 1),
           Result<void>();
  }

  std::string_view text_;
  SqlDialect dialect_;
  std::size_t at_ = 0;
  std::vector<SqlToken> tokens_;
};

}  // namespace

Result<std::vector<SqlToken>> tokenize_sql(std::string_view text, SqlDialect dialect) {
  if (text.size() > kMaxStatement)
    return fail(Errc::too_large, fmt::format("the statement is longer than {} bytes", kMaxStatement));
  return Scanner(text, dialect).run();
}

}  // namespace sallyport::policy
