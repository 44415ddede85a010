#pragma once

#include "agent/connectors/sql/statement.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::connectors::sql {

// `insert into TABLE (COLUMNS) values (:a, :b)`, each value a parameter and nothing else: on an ordinary table COPY
// does the same for many rows, and several times as fast.
struct PlainInsert {
  std::string table, columns;           // as the statement writes them
  std::vector<std::size_t> parameters;  // one for each column: its place among the statement's
};
std::optional<PlainInsert> plain_insert(const Statement& statement);

// Whether nothing tells a COPY into the table :1 from inserts: it is a table of its own, without rules, row security
// and triggers of users. One row when it is so, else none.
inline constexpr std::string_view kCopyIsInsert =
    "select 1 from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1) and c.relkind = 'r' and not "
    "c.relhasrules and not c.relrowsecurity and not exists (select from pg_catalog.pg_trigger t where t.tgrelid = "
    "c.oid and not t.tgisinternal)";

// A row in COPY's text format. False, and then `out` is of no use: a text holds NUL, which PostgreSQL cannot store.
bool append_copy_row(std::string& out, const PlainInsert& insert, const ValueList& values);

}  // namespace sallyport::connectors::sql
