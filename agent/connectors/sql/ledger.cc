#include "agent/connectors/sql/ledger.h"

namespace sallyport::connectors::sql {
namespace {

using policy::SqlDialect;

constexpr std::string_view kTable =
    "create table if not exists sallyport_effects (key text primary key, at text not null, affected bigint not null)";
constexpr std::string_view kTableMysqlMade =
    "create table if not exists sallyport_effects (`key` varchar(512) character set utf8mb4 collate utf8mb4_bin "
    "primary "
    "key, at varchar(40) not null, affected bigint not null) engine=InnoDB";
constexpr std::string_view kTableMysql =
    "select coalesce(e.transactions, 'NO') from information_schema.tables t left join information_schema.engines e on "
    "e.engine = t.engine where t.table_schema = database() and t.table_name = 'sallyport_effects'";
constexpr std::string_view kTableSqlite =
    "select 1 from sqlite_schema where type = 'table' and name = 'sallyport_effects'";
constexpr std::string_view kTablePostgres = "select 1 where to_regclass('sallyport_effects') is not null";
// Two first runs at the same time: one creates the table, the other waits for it, and then does not trust its earlier
// look, because PostgreSQL may answer a second one from its cache of the catalogue.
constexpr std::string_view kCreationLock = "select pg_advisory_xact_lock(5286919421030)";
constexpr std::string_view kClaim =
    "insert into sallyport_effects (key, at, affected) values (:key, :at, -1) on conflict (key) do nothing";
// Waits for a run at the same time as the others do, and fails when it is there; it is found with the lock that this
// leaves, past the transaction's view of earlier.
constexpr std::string_view kClaimMysql = "insert into sallyport_effects (`key`, at, affected) values (:key, :at, -1)";
constexpr std::string_view kRecordMysql = "update sallyport_effects set affected = :affected where `key` = :key";
constexpr std::string_view kFindMysql = "select affected from sallyport_effects where `key` = :key lock in share mode";
constexpr std::string_view kRecord = "update sallyport_effects set affected = :affected where key = :key";
constexpr std::string_view kFind = "select affected from sallyport_effects where key = :key";

// Keeps the first value of a result set.
class OneValue final : public RowSink {
 public:
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(ValueList values) override {
    value = values.at(0);
    return {};
  }
  std::optional<Value> value;
};

StepResult<std::optional<Value>> find(Connection& connection, const Statement& statement, const ValueList& parameters,
                                      const CallLimits& limits) {
  OneValue first;
  SP_CHECK(connection.query_own(statement, parameters, first, limits));
  return first.value;
}

StepError explain(StepError error, std::string_view table) {
  error.message = "the effect ledger: " + error.message +
                  "; without a right to create it, have the database's owner run: " + std::string(table);
  return error;
}

StepResult<void> prepare_mysql(Connection& connection, const CallLimits& limits) {
  SP_TRY(const auto transactions, find(connection, Statement{std::string(kTableMysql), {}}, {}, limits));
  if (transactions == Value("YES")) return {};
  if (transactions)
    return step_fail("invalid",
                     "the effect ledger: sallyport_effects is no table with transactions; have the database's owner "
                     "run: alter table sallyport_effects engine=InnoDB");
  connection.rollback();
  SP_CHECK(connection.begin(Access::read_write, limits));
  auto created = connection.execute_own(Statement{std::string(kTableMysqlMade), {}}, {}, limits);
  if (!created) return std::unexpected(explain(std::move(created).error(), kTableMysqlMade));
  return connection.begin(Access::read_write, limits);
}

}  // namespace

StepResult<std::optional<std::int64_t>> EffectLedger::claim(std::string_view key, WallTime now,
                                                            const CallLimits& limits) {
  const bool mysql = server_ == SqlDialect::mysql;
  SP_TRY(const auto claim, statement(mysql ? kClaimMysql : kClaim));
  const auto inserted = connection_.execute_own(claim, {Value(key), Value(rfc3339(now))}, limits);
  const bool there_already = mysql && !inserted && inserted.error().error_class() == "sqlstate:23505";
  if (!inserted && !there_already) return std::unexpected(inserted.error());
  if (inserted == 1) return std::nullopt;
  SP_TRY(const auto look, statement(mysql ? kFindMysql : kFind));
  SP_TRY(const auto found, find(connection_, look, {Value(key)}, limits));
  if (!found || !found->is(Value::Kind::int64)) return step_fail("transaction", "the effect ledger changed meanwhile");
  if (found->as_int() < 0)
    return step_fail("in_doubt", "the effect ledger: an earlier run has committed its key, and not all of its effect");
  return found->as_int();
}

StepResult<void> EffectLedger::record(std::string_view key, std::int64_t affected, const CallLimits& limits) {
  SP_TRY(const auto record, statement(server_ == SqlDialect::mysql ? kRecordMysql : kRecord));
  SP_TRY(const auto recorded, connection_.execute_own(record, {Value(affected), Value(key)}, limits));
  if (recorded != 1)
    return step_fail("invalid", "the effect ledger: the step's statements have moved or changed sallyport_effects");
  return {};
}

StepResult<void> prepare_ledger(Connection& connection, SqlDialect server, const CallLimits& limits) {
  if (server == SqlDialect::mysql) return prepare_mysql(connection, limits);
  const Statement look{std::string(server == SqlDialect::sqlite ? kTableSqlite : kTablePostgres), {}};
  SP_TRY(const auto there, find(connection, look, {}, limits));
  if (there) return {};
  if (server == SqlDialect::postgres) SP_CHECK(find(connection, Statement{std::string(kCreationLock), {}}, {}, limits));
  auto created = connection.execute_own(Statement{std::string(kTable), {}}, {}, limits);
  if (!created) return std::unexpected(explain(std::move(created).error(), kTable));
  return {};
}

}  // namespace sallyport::connectors::sql
