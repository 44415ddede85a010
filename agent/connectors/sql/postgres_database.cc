#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/postgres_session.h"

namespace sallyport::connectors::sql {
namespace {

class PostgresDatabase final : public Database {
 public:
  PostgresDatabase(policy::PostgresConnection settings, const vault::Vault& vault)
      : settings_(std::move(settings)), vault_(vault) {}
  policy::SqlDialect dialect() const override { return policy::SqlDialect::postgres; }
  StepResult<std::unique_ptr<Connection>> connect(const CallLimits& limits) override {
    return connect_postgres(settings_, vault_, limits);
  }
  std::uint64_t credentials() const override { return vault_.version_of(settings_.password); }

 private:
  policy::PostgresConnection settings_;
  const vault::Vault& vault_;
};

}  // namespace

std::unique_ptr<Database> make_postgres(policy::PostgresConnection settings, const vault::Vault& vault) {
  return std::make_unique<PostgresDatabase>(std::move(settings), vault);
}

}  // namespace sallyport::connectors::sql
