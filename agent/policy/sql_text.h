#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Just enough of SQL's lexical structure to see what a statement does, and where its parameters are.
namespace sallyport::policy {

enum class SqlDialect { sqlite, postgres, mysql, odbc };

struct SqlToken {
  enum class Kind {
    word,    // an unquoted name or keyword
    quoted,  // a quoted name, a string, a dollar-quoted text
    number,
    parameter,  // :name
    symbol,     // one character; "::" is one symbol
  };
  Kind kind;
  std::string_view text;  // of the statement; a parameter without its colon
  std::size_t offset;     // of its first byte, the colon included
};

// Reads the text as the server of that dialect does: PostgreSQL with standard_conforming_strings on and client_encoding
// UTF8 (scan.l; the connector holds every session to both), SQLite as it is (tokenize.c), MySQL and MariaDB with a
// sql_mode without ANSI_QUOTES and NO_BACKSLASH_ESCAPES and utf8mb4 (sql_lex.cc; held to as well). They differ in
// nested comments, the end of line comments, `#`, dollar quotes, E'' strings, backslashes, [x] and `x`. Comments and
// white space are left out. Refuses what releases of a server read differently, what the later change of `:name` to a
// number would change, and what ends nowhere: numbers that run into words, a string directly after a string (PostgreSQL
// may take both for one), a parameter that touches a word, byte order marks, unterminated quotes and comments, NUL,
// positional placeholders
// (`?`, `$1`), more than 1 MiB. Of MySQL's also what a comment makes the server do (`/*! */`, hints), comments in
// comments, `--` without white space after it, variables (`@x`), INTO OUTFILE. The text must outlive the tokens.
//
// What goes through ODBC to a server nobody knows (`odbc`) is refused wherever any server may read it otherwise than
// another: comments, backslashes, `{}` (ODBC's escapes), `[x]` and `x`, `#`, `@`, `$`, q'' strings, letters that are
// not ASCII outside of quotes and any but Latin, Greek and Cyrillic ones inside, and in the middle of a statement each
// word that begins another one where servers need no semicolon between two.
Result<std::vector<SqlToken>> tokenize_sql(std::string_view text, SqlDialect dialect);

// What a statement may do, in the words of policy.yaml.
enum class SqlVerb : unsigned { select = 1, insert = 2, update = 4, remove = 8, merge = 16, ddl = 32, call = 64 };
using SqlVerbs = unsigned;  // a set of SqlVerb
constexpr bool has(SqlVerbs verbs, SqlVerb one) { return (verbs & static_cast<unsigned>(one)) != 0; }
constexpr SqlVerbs with(SqlVerbs verbs, SqlVerb one) { return verbs | static_cast<unsigned>(one); }
std::string to_string(SqlVerbs verbs);     // "select, update"
std::string_view to_string(SqlVerb verb);  // "delete" for remove

// Every verb of the one statement in `tokens`: its leading keyword's, and that of each part that reads or changes data
// by itself (`with x as (delete ...)`, `on conflict do update`, `select ... into`, `for update`, `create table x as
// select`, `insert into a table b`). Errs on the side of too many: a verb used as a name counts, and so does the event
// of a trigger (`create trigger ... after insert`). What a function or trigger does that a statement sets off is not
// seen: the connector runs statements that only select in transactions that are read only, and the rights of the
// database's user bound the rest. Refuses: nothing to run, more than one statement, and a leading keyword that is not
// in the table (COPY, DO, SET, ATTACH, PRAGMA, BEGIN, GRANT ...).
Result<SqlVerbs> verbs_of(const std::vector<SqlToken>& tokens);

}  // namespace sallyport::policy
