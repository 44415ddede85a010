#include "agent/connectors/sql/database.h"

#include "agent/connectors/sql/libmariadb.h"
#include "agent/connectors/sql/libpq.h"
#include "agent/connectors/sql/mysql_session.h"
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

}  // namespace

std::unique_ptr<Database> make_postgres(policy::PostgresConnection settings, const vault::Vault& vault) {
  using Postgres = ServerDatabase<policy::PostgresConnection>;
  return std::make_unique<Postgres>(std::move(settings), vault, policy::SqlDialect::postgres, connect_postgres);
}

std::unique_ptr<Database> make_mysql(policy::MysqlConnection settings, const vault::Vault& vault) {
  using Mysql = ServerDatabase<policy::MysqlConnection>;
  return std::make_unique<Mysql>(std::move(settings), vault, policy::SqlDialect::mysql, connect_mysql);
}

std::unique_ptr<Database> make_database(const policy::SqlConnection& settings, policy::SqlVerbs verbs,
                                        const vault::Vault& vault) {
  if (const auto* postgres = std::get_if<policy::PostgresConnection>(&settings.server))
    return make_postgres(*postgres, vault);
  if (const auto* mysql = std::get_if<policy::MysqlConnection>(&settings.server)) return make_mysql(*mysql, vault);
  return make_sqlite(std::get<policy::SqliteConnection>(settings.server), verbs);
}

Result<void> check_client(const policy::SqlConnection& settings) {
  if (std::holds_alternative<policy::PostgresConnection>(settings.server)) return load_libpq();
  if (std::holds_alternative<policy::MysqlConnection>(settings.server)) return load_libmariadb();
  return {};
}

}  // namespace sallyport::connectors::sql
