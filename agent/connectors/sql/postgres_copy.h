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

// Whether nothing tells a COPY into the table :1 from inserts: it is a table of its own and no partition (whose
// triggers may be its parent's, and count as the server's own before version 15), without rules, row security and
// triggers of users; without a foreign key to itself, which COPY checks at its end; and without an interval of certain
// fields, whose texts COPY reads with those fields in mind ('90' is minutes) and a parameter does not. One row when it
// is so, else none.
inline constexpr std::string_view kCopyIsInsert =
    "select 1 from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1) and c.relkind = 'r' and not "
    "c.relispartition and not c.relhasrules and not c.relrowsecurity and not exists (select from pg_catalog.pg_trigger "
    "t where t.tgrelid = c.oid and not t.tgisinternal) and not exists (select from pg_catalog.pg_constraint k where "
    "k.contype = 'f' and k.conrelid = c.oid and k.confrelid = c.oid) and not exists (select from "
    "pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.atttypmod >= 0 and a.atttypid in "
    "('pg_catalog.interval'::pg_catalog.regtype, 'pg_catalog.interval[]'::pg_catalog.regtype))";

// A row in COPY's text format. False, and then `out` is of no use: a text holds NUL, which PostgreSQL cannot store.
bool append_copy_row(std::string& out, const PlainInsert& insert, const ValueList& values);

}  // namespace sallyport::connectors::sql
