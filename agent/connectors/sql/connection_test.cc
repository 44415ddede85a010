#include "agent/connectors/sql/connection_test.h"

#include "agent/connectors/reach.h"
#include "agent/connectors/sql/database.h"

#include <fmt/format.h>

namespace sallyport::connectors::sql {
using findings::Finding;
using findings::Findings;
using findings::Verdict;
namespace {

class SqlConnectionTest final : public ConnectionTest {
 public:
  explicit SqlConnectionTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "sql"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& server = connection.sql()->server;
    if (const auto* postgres = std::get_if<policy::PostgresConnection>(&server)) return run(*postgres, deadline);
    const auto& sqlite = std::get<policy::SqliteConnection>(server);
    return {login(*make_sqlite(sqlite, 0), deadline, fmt::format("{} can be opened", sqlite.file))};
  }

 private:
  Findings run(const policy::PostgresConnection& postgres, SteadyTime deadline) const {
    if (const auto client = check_postgres_client(); !client)
      return {{"client", Verdict::bad, client.error().message, "install it on this machine"}};
    Reach reach{.reached = true};
    if (!postgres.host.starts_with('/')) reach = try_to_reach(postgres.host, postgres.port, deadline);
    if (reach.reached)
      reach.findings.push_back(login(*make_postgres(postgres, site_.vault), deadline,
                                     fmt::format("{} may use the database {}", postgres.user, postgres.database)));
    return std::move(reach.findings);
  }

  static Finding login(Database& database, SteadyTime deadline, std::string good) {
    const auto connection = database.connect({deadline, {}});
    if (connection) return {"login", Verdict::good, std::move(good)};
    return {"login", Verdict::bad, connection.error().message,
            "correct connections.yaml, or ask who runs the database"};
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_connection_test(Site site) { return std::make_unique<SqlConnectionTest>(site); }

}  // namespace sallyport::connectors::sql
