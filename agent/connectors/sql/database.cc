#include "agent/connectors/sql/database.h"

#include "agent/connectors/sql/libmariadb.h"
#include "agent/connectors/sql/libodbc.h"
#include "agent/connectors/sql/libpq.h"
#include "agent/connectors/sql/mysql_session.h"
#include "agent/connectors/sql/odbc_connection.h"
#include "agent/connectors/sql/postgres_session.h"

#include <variant>

namespace sallyport::connectors::sql {
namespace {

// A server that is logged in to with a password.
template <class Settings>
class ServerDatabase final : public Database {
 public:
  using Connect = StepResult<std::unique_ptr<Connection>> (*)(const Settings&, const vault::Vault&, const CallLimits&);
  ServerDatabase(Settings settings, const vault::Vault& vault, policy::SqlDialect dialect, Connect connect)
      : settings_(std::move(settings)), vault_(vault), dialect_(dialect), connect_(connect) {}
  policy::SqlDialect dialect() const override { return dialect_; }
  StepResult<std::unique_ptr<Connection>> connect(const CallLimits& limits) override {
    return connect_(settings_, vault_, limits);
  }
  std::uint64_t credentials() const override { return vault_.version_of(settings_.password); }

 private:
  Settings settings_;
  const vault::Vault& vault_;
  policy::SqlDialect dialect_;
  Connect connect_;
};

class OdbcDatabase final : public Database {
 public:
  OdbcDatabase(policy::OdbcConnection settings, const vault::Vault& vault)
      : settings_(std::move(settings)), vault_(vault) {}
  policy::SqlDialect dialect() const override { return policy::SqlDialect::odbc; }
  policy::SqlDialect ledger_dialect() const override {
    switch (settings_.server) {
      case policy::OdbcServer::postgres: return policy::SqlDialect::postgres;
      case policy::OdbcServer::mysql: return policy::SqlDialect::mysql;
      case policy::OdbcServer::other: break;
    }
    return policy::SqlDialect::odbc;
  }
  StepResult<std::unique_ptr<Connection>> connect(const CallLimits& limits) override {
    return connect_odbc(settings_, vault_, left_behind_, limits);
  }
  std::uint64_t credentials() const override { return vault_.version_of(settings_.password); }

 private:
  policy::OdbcConnection settings_;
  const vault::Vault& vault_;
  LeftBehind left_behind_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace

StepResult<std::int64_t> Connection::execute_each(const Statement& statement, std::span<const ValueList> sets,
                                                  std::size_t& done, DroppedRows& dropped, const CallLimits& limits) {
  std::int64_t affected = 0;
  for (done = 0; done < sets.size(); ++done) {
    SP_TRY(const auto changed, execute(statement, sets[done], dropped, limits));
    affected += changed;
  }
  return affected;
}

std::unique_ptr<Database> make_postgres(policy::PostgresConnection settings, const vault::Vault& vault) {
  using Postgres = ServerDatabase<policy::PostgresConnection>;
  return std::make_unique<Postgres>(std::move(settings), vault, policy::SqlDialect::postgres, connect_postgres);
}

std::unique_ptr<Database> make_mysql(policy::MysqlConnection settings, const vault::Vault& vault) {
  using Mysql = ServerDatabase<policy::MysqlConnection>;
  return std::make_unique<Mysql>(std::move(settings), vault, policy::SqlDialect::mysql, connect_mysql);
}

std::unique_ptr<Database> make_odbc(policy::OdbcConnection settings, const vault::Vault& vault) {
  return std::make_unique<OdbcDatabase>(std::move(settings), vault);
}

std::unique_ptr<Database> make_database(const policy::SqlConnection& settings, policy::SqlVerbs verbs,
                                        const vault::Vault& vault) {
  if (const auto* postgres = std::get_if<policy::PostgresConnection>(&settings.server))
    return make_postgres(*postgres, vault);
  if (const auto* mysql = std::get_if<policy::MysqlConnection>(&settings.server)) return make_mysql(*mysql, vault);
  if (const auto* odbc = std::get_if<policy::OdbcConnection>(&settings.server)) return make_odbc(*odbc, vault);
  return make_sqlite(std::get<policy::SqliteConnection>(settings.server), verbs);
}

Result<void> check_client(const policy::SqlConnection& settings) {
  if (std::holds_alternative<policy::PostgresConnection>(settings.server)) return load_libpq();
  if (std::holds_alternative<policy::MysqlConnection>(settings.server)) return load_libmariadb();
  if (std::holds_alternative<policy::OdbcConnection>(settings.server)) return load_libodbc();
  return {};
}

}  // namespace sallyport::connectors::sql
