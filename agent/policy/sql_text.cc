#include "agent/policy/sql_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

constexpr std::size_t kMaxStatement = 1u << 20;
constexpr auto kEnd = std::string_view::npos;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool continues_word(char c) { return starts_word(c) || is_digit(c) || c == '$'; }
bool continues_name(char c) { return starts_word(c) || is_digit(c); }  // of a parameter, or of a dollar quote

bool is_word(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

// With these SQL Server and its relatives begin another statement, without a semicolon before it, or reach for what is
// no table.
constexpr std::array<std::string_view, 36> kElsewhere{
    "alter",      "backup",  "begin",   "bulk",      "checkpoint", "commit",         "create",      "dbcc",
    "deny",       "drop",    "dump",    "exec",      "execute",    "grant",          "kill",        "load",
    "openrowset", "openxml", "print",   "openquery", "raiserror",  "readtext",       "reconfigure", "restore",
    "revert",     "revoke",  "save",    "rollback",  "setuser",    "opendatasource", "shutdown",    "truncate",
    "updatetext", "use",     "waitfor", "writetext"};

// Letters that no conversion between character sets turns into a quote or a semicolon.
bool is_known_letter(unsigned char lead) { return (lead >= 0xC3 && lead <= 0xC8) || (lead >= 0xCE && lead <= 0xD4); }
bool is_continuation(unsigned char c) { return c >= 0x80 && c < 0xC0; }

template <class Predicate>
std::size_t end_of(std::string_view text, std::size_t from, Predicate belongs) {
  while (from < text.size() && belongs(text[from])) ++from;
  return from;
}

// Where the number that begins at `at` ends; nothing may touch it that continues a word. Old servers end `1e` or `1_e`
// earlier than new ones do, and read what follows otherwise.
std::size_t end_of_number(std::string_view text, std::size_t at) {
  const auto digit = [](char c) { return is_digit(c) || c == '_'; };
  const auto hex = [](char c) { return is_hex_digit(c) || c == '_'; };
  const auto prefix = text.substr(at, 2);
  const char first = at + 2 < text.size() ? text[at + 2] : '\0';
  if ((prefix == "0x" || prefix == "0X") && is_hex_digit(first)) return end_of(text, at + 2, hex);
  if ((prefix == "0o" || prefix == "0O" || prefix == "0b" || prefix == "0B") && is_digit(first))
    return end_of(text, at + 2, digit);
  auto end = end_of(text, at, digit);
  if (end < text.size() && text[end] == '.') end = end_of(text, end + 1, digit);
  if (end + 1 < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const auto exponent = end + 1 + (text[end + 1] == '+' || text[end + 1] == '-' ? 1 : 0);
    if (exponent < text.size() && is_digit(text[exponent])) end = end_of(text, exponent, digit);
  }
  return end;
}

class Scanner {
 public:
  Scanner(std::string_view text, SqlDialect dialect) : text_(text), dialect_(dialect) {}

  Result<std::vector<SqlToken>> run() {
    while (at_ < text_.size()) SP_CHECK(step());
    return std::move(tokens_);
  }

 private:
  enum class Escapes { none, backslash };

  bool postgres() const { return dialect_ == SqlDialect::postgres; }
  bool mysql() const { return dialect_ == SqlDialect::mysql; }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  std::unexpected<Error> refuse(std::string why) const {
    return fail(Errc::invalid, fmt::format("the statement has {} at character {}", why, at_ + 1));
  }

  void emit(SqlToken::Kind kind, std::size_t end, std::size_t skip = 0) {
    tokens_.push_back({kind, text_.substr(at_ + skip, end - at_ - skip), at_});
    at_ = end;
  }

  bool odbc() const { return dialect_ == SqlDialect::odbc; }

  Result<void> step() {
    const char c = peek();
    if (is_space(c)) return ++at_, Result<void>();
    if (odbc()) SP_CHECK(check_common());
    if (c == '-' && peek(1) == '-') return dashes();
    if (c == '#' && mysql()) return skip_line_comment();
    if (c == '/' && peek(1) == '*') return skip_block_comment();
    if (c == '\'') return string();
    if (c == '"') return quoted('"', mysql() ? Escapes::backslash : Escapes::none);
    if (c == '`' && !postgres()) return quoted('`', Escapes::none);
    if (c == '[' && dialect_ == SqlDialect::sqlite) return bracketed();
    if (c == '$') return dollar();
    if (c == ':') return colon();
    if (c == '@' && mysql()) return refuse("a variable, which would outlive the statement");
    if (c == '\\' && mysql()) return refuse("a backslash outside of quotes");
    if ((c == '?' || c == '@' || c == '#') && !postgres()) return refuse("a positional placeholder; write :name");
    if (starts_word(c)) return word();
    if (is_digit(c)) return number();
    return emit(SqlToken::Kind::symbol, at_ + 1), Result<void>();
  }

  // What some server behind ODBC reads otherwise.
  Result<void> check_common() const {
    const char c = peek();
    if ((c == '-' && peek(1) == '-') || (c == '/' && peek(1) == '*')) return refuse("a comment, not allowed for ODBC");
    if (std::string_view("\\`[]{}#@$").contains(c)) return refuse("a character not allowed for ODBC");
    if (static_cast<unsigned char>(c) >= 0x80) return refuse("a letter that is not ASCII outside of quotes");
    return {};
  }

  Result<void> check_odbc_word(std::string_view word) {
    if (!std::ranges::all_of(word, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
      return refuse("a letter that is not ASCII outside of quotes");
    if (peek(word.size()) == '\'' && (is_word(word, "q") || is_word(word, "nq"))) return refuse("a string of Oracle's");
    const auto is_it = [&](std::string_view one) { return is_word(word, one); };
    if (is_it("update")) ++updates_;
    if (is_it("set") && updates_-- == 0) return refuse("a SET that belongs to no UPDATE");
    const bool in_ddl = !tokens_.empty() && begins_ddl_ && (is_it("drop") || is_it("alter"));
    const bool elsewhere = !tokens_.empty() && !in_ddl && std::ranges::any_of(kElsewhere, is_it);
    if (elsewhere) return refuse("a word with which some servers begin another statement; put the name into quotes");
    if (tokens_.empty()) begins_ddl_ = is_it("alter") || is_it("create") || is_it("drop");
    return {};
  }

  Result<void> check_odbc_quoted(std::string_view text) const {
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto c = static_cast<unsigned char>(text[at]);
      if (c == '\\') return refuse("a backslash in quotes; write it as a parameter");
      if (c < 0x80) continue;
      const bool good =
          is_known_letter(c) && at + 1 < text.size() && is_continuation(static_cast<unsigned char>(text[at + 1]));
      if (!good) return refuse("a letter in quotes that has to be a parameter for ODBC");
      ++at;
    }
    return {};
  }

  // MySQL's strings have backslash escapes, and PostgreSQL's E'...': the E touches the quote.
  bool escapes_here() const {
    if (mysql()) return true;
    if (!postgres() || tokens_.empty()) return false;
    const auto& last = tokens_.back();
    return last.kind == SqlToken::Kind::word && (last.text == "e" || last.text == "E") && last.offset + 1 == at_;
  }

  // To MySQL two dashes are a comment only before white space, and old servers disagree about what that is.
  Result<void> dashes() {
    if (mysql() && at_ + 2 < text_.size() && !is_space(peek(2))) return refuse("-- without white space after it");
    return skip_line_comment();
  }

  Result<void> skip_line_comment() {
    at_ = std::min(text_.size(), text_.find_first_of(postgres() ? "\r\n" : "\n", at_));
    return {};
  }

  Result<void> skip_block_comment() {
    const char first = peek(2);
    if (mysql() && (first == '!' || first == '+' || first == 'M'))
      return refuse("a comment that the server takes for a part of the statement");
    std::size_t depth = 1, at = at_ + 2;
    for (; depth > 0; ++at) {
      if (at + 1 >= text_.size()) return refuse("a comment that is not closed");
      const auto pair = text_.substr(at, 2);
      if (pair == "*/") --depth, ++at;
      if (pair == "/*" && mysql()) return refuse("a comment in a comment");
      if (pair == "/*" && postgres()) ++depth, ++at;
    }
    at_ = at;
    return {};
  }

  // SQLite takes a byte order mark for white space, PostgreSQL for a part of the name.
  Result<void> word() {
    const auto end = end_of(text_, at_, continues_word);
    if (text_.substr(at_, end - at_).contains("\xEF\xBB\xBF")) return refuse("a byte order mark");
    if (odbc()) SP_CHECK(check_odbc_word(text_.substr(at_, end - at_)));
    if ((mysql() || odbc()) && follows_into() && names_file(text_.substr(at_, end - at_)))
      return refuse("INTO OUTFILE or DUMPFILE, which writes files of the server");
    return emit(SqlToken::Kind::word, end), Result<void>();
  }

  bool follows_into() const {
    return !tokens_.empty() && tokens_.back().kind == SqlToken::Kind::word && is_word(tokens_.back().text, "into");
  }
  static bool names_file(std::string_view word) { return is_word(word, "outfile") || is_word(word, "dumpfile"); }

  Result<void> number() {
    const auto end = end_of_number(text_, at_);
    if (end < text_.size() && (continues_word(text_[end]) || text_[end] == '.'))
      return refuse("a number that runs into a word");
    return emit(SqlToken::Kind::number, end), Result<void>();
  }

  // PostgreSQL reads a string that follows a string, with a line break between them, as the same string going on, with
  // the escapes of the first.
  Result<void> string() {
    const bool follows = (postgres() || odbc()) && !tokens_.empty() && tokens_.back().kind == SqlToken::Kind::quoted &&
                         tokens_.back().text.ends_with('\'');
    if (follows) return refuse("a string directly after a string; join them with ||");
    return quoted('\'', escapes_here() ? Escapes::backslash : Escapes::none);
  }

  Result<void> quoted(char quote, Escapes escapes) {
    for (std::size_t at = at_ + 1; at < text_.size(); ++at) {
      if (escapes == Escapes::backslash && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        if (at + 1 >= text_.size() || text_[at + 1] != quote) {
          if (odbc()) SP_CHECK(check_odbc_quoted(text_.substr(at_, at - at_)));
          return emit(SqlToken::Kind::quoted, at + 1), Result<void>();
        }
        ++at;
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
    const auto tag_end = end_of(text_, at_ + 1, continues_name);
    if (tag_end >= text_.size() || text_[tag_end] != '$') return refuse("a stray $");
    const auto tag = text_.substr(at_, tag_end + 1 - at_);
    const auto close = text_.find(tag, tag_end + 1);
    if (close == kEnd) return refuse("a dollar quote that is not closed");
    return emit(SqlToken::Kind::quoted, close + tag.size()), Result<void>();
  }

  // A parameter becomes `$1`, which would continue a word that it touches.
  Result<void> colon() {
    if (starts_word(peek(1))) {
      const bool touches =
          at_ > 0 && continues_word(text_[at_ - 1]) && !tokens_.empty() && tokens_.back().kind == SqlToken::Kind::word;
      if (touches) return refuse("a parameter that touches the word before it");
      return emit(SqlToken::Kind::parameter, end_of(text_, at_ + 1, continues_name), 1), Result<void>();
    }
    if (!postgres() && !(odbc() && peek(1) == ':')) return refuse("a colon that begins no parameter; write :name");
    return emit(SqlToken::Kind::symbol, at_ + (peek(1) == ':' ? 2 : 1)), Result<void>();
  }

  std::string_view text_;
  SqlDialect dialect_;
  std::size_t at_ = 0;
  std::size_t updates_ = 0;  // UPDATEs whose SET has not come
  bool begins_ddl_ = false;
  std::vector<SqlToken> tokens_;
};

}  // namespace

Result<std::vector<SqlToken>> tokenize_sql(std::string_view text, SqlDialect dialect) {
  if (text.size() > kMaxStatement)
    return fail(Errc::too_large, fmt::format("the statement is longer than {} bytes", kMaxStatement));
  if (text.contains('\0')) return fail(Errc::invalid, "the statement has a NUL character");
  return Scanner(text, dialect).run();
}

}  // namespace sallyport::policy
