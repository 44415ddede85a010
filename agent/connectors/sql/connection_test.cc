#include "agent/connectors/sql/connection_test.h"

#include "agent/connectors/reach.h"
#include "agent/connectors/sql/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::sql {
using findings::Findings;
using findings::Verdict;
namespace {

// Asks whether the login may do everything; a row is a yes.
constexpr std::string_view kPostgresSuper = "select 1 from pg_roles where rolname = current_user and rolsuper";
constexpr std::string_view kMysqlSuper =
    "select 1 from information_schema.user_privileges where privilege_type in ('SUPER', 'CREATE USER') and grantee = "
    "concat('''', replace(current_user(), '@', '''@'''), '''')";

class Counted final : public RowSink {
 public:
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(ValueList) override { return ++rows, StepResult<void>(); }
  int rows = 0;
};

bool is_super(Connection& connection, std::string_view question, const CallLimits& limits) {
  Counted counted;
  if (!connection.begin(Access::read_only, limits)) return false;
  const auto asked = connection.query_own(Statement{std::string(question), {}}, {}, counted, limits);
  connection.rollback();
  return asked && counted.rows > 0;
}

bool speaks_of_tls(std::string_view text) {
  return std::ranges::any_of(std::array{"SSL", "TLS", "certificate"},
                             [&](std::string_view word) { return text.contains(word); });
}

std::string advice_for(const StepError& error) {
  const auto& what = error.classes.back();
  if (what == "permission") return "correct `user` or the password, or have the user let in from this machine";
  if (what == "not_found") return "correct `database`, or have it created";
  return "correct connections.yaml, or ask who runs the database";
}

class SqlConnectionTest final : public ConnectionTest {
 public:
  explicit SqlConnectionTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "sql"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.sql();
    if (const auto client = check_client(settings); !client)
      return {{"client", Verdict::bad, client.error().message, "install it on this machine"}};
    if (const auto* postgres = std::get_if<policy::PostgresConnection>(&settings.server))
      return visit(settings, *postgres, kPostgresSuper, deadline);
    if (const auto* mysql = std::get_if<policy::MysqlConnection>(&settings.server))
      return visit(settings, *mysql, kMysqlSuper, deadline);
    if (const auto* odbc = std::get_if<policy::OdbcConnection>(&settings.server))
      return visit_odbc(settings, *odbc, deadline);
    const auto opened = make_database(settings, 0, site_.vault)->connect({deadline, {}});
    const auto& file = std::get<policy::SqliteConnection>(settings.server).file;
    if (opened) return {{"login", Verdict::good, fmt::format("{} can be opened", file)}};
    return {{"login", Verdict::bad, opened.error().message, advice_for(opened.error())}};
  }

 private:
  template <class Server>
  Findings visit(const policy::SqlConnection& settings, const Server& server, std::string_view super,
                 SteadyTime deadline) const {
    Reach reach{.reached = true};
    if (!server.host.starts_with('/')) reach = try_to_reach(server.host, server.port, deadline);
    auto findings = std::move(reach.findings);
    if (!reach.reached) return findings;
    if (const auto password = site_.vault.resolve(server.password); server.password && !password) {
      findings.push_back({"login", Verdict::bad, password.error().message, "put it where connections.yaml says it is"});
      return findings;
    }
    const CallLimits limits{deadline, {}};
    const auto connection = make_database(settings, 0, site_.vault)->connect(limits);
    note_tls(findings, server, connection);
    if (findings.empty() || findings.back().verdict != Verdict::bad) note_login(findings, server, connection);
    if (connection) note_super(findings, **connection, server.user, super, limits);
    return findings;
  }

  // Where the server is only the driver knows.
  Findings visit_odbc(const policy::SqlConnection& settings, const policy::OdbcConnection& odbc,
                      SteadyTime deadline) const {
    const CallLimits limits{deadline, {}};
    const auto connection = make_database(settings, 0, site_.vault)->connect(limits);
    if (!connection) return {{"login", Verdict::bad, connection.error().message, advice_for(connection.error())}};
    const auto& name = odbc.dsn.empty() ? odbc.driver : odbc.dsn;
    Findings findings{{"login", Verdict::good, fmt::format("{} takes the connection", name)}};
    if (odbc.server == policy::OdbcServer::postgres)
      note_super(findings, **connection, odbc.user, kPostgresSuper, limits);
    if (odbc.server == policy::OdbcServer::mysql) note_super(findings, **connection, odbc.user, kMysqlSuper, limits);
    return findings;
  }

  static void note_super(Findings& findings, Connection& connection, std::string_view user, std::string_view question,
                         const CallLimits& limits) {
    if (is_super(connection, question, limits))
      findings.push_back({"permission", Verdict::note,
                          fmt::format("{} may do everything there, more than any step needs", user),
                          "have a user made that may do what the recipes do, and no more"});
  }

  using Connected = StepResult<std::unique_ptr<Connection>>;

  // The client libraries show no certificate; what they found wrong with it is in their text.
  template <class Server>
  static void note_tls(Findings& findings, const Server& server, const Connected& connection) {
    if (server.sslmode == "disable") return;
    if (!connection && speaks_of_tls(connection.error().message)) {
      findings.push_back({"tls", Verdict::bad, connection.error().message,
                          "correct `sslmode` or `ca_file`, or have the server's certificate corrected"});
      return;
    }
    const bool verified = server.sslmode.starts_with("verify");
    if (connection || connection.error().classes.back() != "connection")
      findings.push_back({"tls", verified ? Verdict::good : Verdict::note,
                          verified ? fmt::format("the certificate holds ({})", server.sslmode)
                                   : "encrypted, but nobody knows with whom: sslmode is require",
                          verified ? "" : "set `sslmode: verify-full`"});
  }

  template <class Server>
  static void note_login(Findings& findings, const Server& server, const Connected& connection) {
    if (connection) {
      findings.push_back(
          {"login", Verdict::good, fmt::format("{} may use the database {}", server.user, server.database)});
    } else {
      findings.push_back({"login", Verdict::bad, connection.error().message, advice_for(connection.error())});
    }
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_connection_test(Site site) { return std::make_unique<SqlConnectionTest>(site); }

}  // namespace sallyport::connectors::sql
