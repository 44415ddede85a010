#include "agent/connectors/sql/undoing.h"

#include <re2/re2.h>

#include <algorithm>

namespace sallyport::connectors::sql {
namespace {

using policy::SqlDialect;
using policy::SqlVerb;

constexpr std::string_view kTablesWithout =
    "select t.table_name from information_schema.tables t left join information_schema.engines e on e.engine = "
    "t.engine where t.table_type not in ('VIEW', 'SYSTEM VIEW', 'SEQUENCE') and (t.table_schema = database() or "
    "t.table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys')) and coalesce(e.transactions, "
    "'NO') <> 'YES' limit 1";

// Only postgres_fdw is known to undo on the other side what is undone here. Of the others those count that can write.
constexpr std::string_view kForeignTables =
    "select 1 from pg_catalog.pg_foreign_table t join pg_catalog.pg_foreign_server s on s.oid = t.ftserver join "
    "pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw where w.fdwname <> 'postgres_fdw' and "
    "pg_catalog.pg_relation_is_updatable(t.ftrelid, false) <> 0 limit 1";

// Of the server itself. Whoever has not said what is behind ODBC has a driver that knows.
StepResult<SqlDialect> dialect_of(Connection& connection, const Target& target) {
  const auto said = target.pool->ledger_dialect();
  if (said != SqlDialect::odbc) return said;
  SP_TRY(const auto name, connection.server_name(target.limits));
  if (RE2::PartialMatch(name, "(?i)mysql|mariadb")) return SqlDialect::mysql;
  return RE2::PartialMatch(name, "(?i)postgres") ? SqlDialect::postgres : said;
}

class Count final : public RowSink {
 public:
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(ValueList) override { return ++rows, StepResult<void>(); }
  int rows = 0;
};

StepResult<bool> gives_rows(Connection& connection, std::string_view question, const CallLimits& limits) {
  Count found;
  SP_CHECK(connection.query_own(Statement{std::string(question), {}}, {}, found, limits));
  return found.rows > 0;
}

}  // namespace

StepResult<std::string> why_not_undone(Connection& connection, const Target& target, policy::SqlVerbs verbs) {
  if (verbs == static_cast<policy::SqlVerbs>(SqlVerb::select)) return std::string();
  const auto dialect = target.pool->dialect();
  const bool may_commit = dialect == SqlDialect::mysql || dialect == SqlDialect::odbc;
  if (may_commit && (has(verbs, SqlVerb::ddl) || has(verbs, SqlVerb::call)))
    return std::string("the server commits ddl by itself, or may do so, and a procedure may commit");
  SP_TRY(const bool transactions, connection.has_transactions(target.limits));
  if (!transactions) return std::string("the driver says that it has no transactions");
  SP_TRY(const auto server, dialect_of(connection, target));
  if (server == SqlDialect::mysql) {
    SP_TRY(const bool loose, gives_rows(connection, kTablesWithout, target.limits));
    if (loose)
      return std::string(
          "the server has tables without transactions (of MyISAM, say) that this user may see: what changes them "
          "cannot be undone");
  }
  if (server == SqlDialect::postgres) {
    SP_TRY(const bool foreign, gives_rows(connection, kForeignTables, target.limits));
    if (foreign)
      return std::string(
          "the database has foreign tables that can be written to, of another wrapper than postgres_fdw: what changes "
          "them may not be undone");
  }
  return std::string();
}

StepError told_of_dry_run(StepError error) {
  const auto doubt = std::ranges::find(error.classes, "in_doubt");
  if (doubt == error.classes.end()) return error;
  error.classes = {"invalid"};
  error.message = "the dry run has changed something that cannot be undone, look at the database: " + error.message;
  return error;
}

}  // namespace sallyport::connectors::sql
