#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Just enough of SQL's lexical structure to see what a statement does, and where its parameters are.
namespace sallyport::policy {

enum class SqlDialect { sqlite, postgres };

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

// Comments and white space are left out. Refuses what would be read differently by different servers, or not at all:
// unterminated quotes and comments, NUL, positional placeholders (`?`, `$1`), more than 1 MiB.
// Dialects differ in nested comments, dollar quotes, E'' strings, [x] and `x`. The text must outlive the tokens.
Result<std::vector<SqlToken>> tokenize_sql(std::string_view text, SqlDialect dialect);

// What a statement may do, in the words of policy.yaml.
enum class SqlVerb : unsigned { select = 1, insert = 2, update = 4, remove = 8, merge = 16, ddl = 32, call = 64 };
using SqlVerbs = unsigned;  // a set of SqlVerb
constexpr bool has(SqlVerbs verbs, SqlVerb one) { return (verbs & static_cast<unsigned>(one)) != 0; }
constexpr SqlVerbs with(SqlVerbs verbs, SqlVerb one) { return verbs | static_cast<unsigned>(one); }
std::string to_string(SqlVerbs verbs);     // "select, update"
std::string_view to_string(SqlVerb verb);  // "delete" for remove

// Every verb of the one statement in `tokens`: its leading keyword's, and that of each data-changing part
// (`with x as (delete ...)`, `on conflict do update`, `select ... into`, `for update`). Errs on the side of too many.
// Refuses: nothing to run, more than one statement, and a leading keyword that is not in the table (COPY, DO, SET,
// ATTACH, PRAGMA, BEGIN, GRANT ...).
Result<SqlVerbs> verbs_of(const std::vector<SqlToken>& tokens);

}  // namespace sallyport::policy
