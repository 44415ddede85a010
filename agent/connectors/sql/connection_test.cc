#include "agent/connectors/sql/connection_test.h"

#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/reach.h"
#include "agent/connectors/sql/database.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

namespace sallyport::connectors::sql {
using findings::Findings;
using findings::Verdict;
namespace {

certificate::Before before_tls(const policy::PostgresConnection&) { return certificate::Before::postgres; }
certificate::Before before_tls(const policy::MysqlConnection&) { return certificate::Before::mysql; }

// What the login may that no step needs, a row for each. Predefined roles that a server's version does not have are not
// asked about.
constexpr std::string_view kPostgresPowers = R"(
select power from (
  select 1 as place, 'is a superuser' as power, rolsuper as held from pg_roles where rolname = current_user
  union all select 2, 'passes by row security', rolbypassrls and not rolsuper from pg_roles where rolname = current_user
  union all select 3, 'makes roles', rolcreaterole and not rolsuper from pg_roles where rolname = current_user
  union all select 4, 'replicates the server', rolreplication and not rolsuper from pg_roles where rolname = current_user
  union all select 5,
      case member.rolname when 'pg_execute_server_program' then 'runs programs of the server'
                          when 'pg_write_server_files' then 'writes files of the server'
                          else 'reads files of the server' end,
      pg_has_role(current_user, member.oid, 'member') and not self.rolsuper
    from pg_roles as self, pg_roles as member where self.rolname = current_user
      and member.rolname in ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
) as powers where held order by place, power)";
constexpr std::string_view kMysqlPowers =
    "select concat('has ', group_concat(privilege_type order by privilege_type separator ', ')) as power from "
    "information_schema.user_privileges where privilege_type in ('SUPER', 'CREATE USER', 'FILE', 'SHUTDOWN') and "
    "grantee = concat('''', replace(current_user(), '@', '''@'''), '''') having count(*) > 0";

class Powers final : public RowSink {
 public:
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(ValueList values) override {
    if (!values.empty() && values.front().is(Value::Kind::string)) held.push_back(values.front().as_string());
    return {};
  }
  std::vector<std::string> held;
};

std::vector<std::string> powers_of(Connection& connection, std::string_view question, const CallLimits& limits) {
  Powers powers;
  if (!connection.begin(Access::read_only, limits)) return {};
  const auto asked = connection.query_own(Statement{std::string(question), {}}, {}, powers, limits);
  connection.rollback();
  return asked ? std::move(powers.held) : std::vector<std::string>();
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
      return visit(settings, *postgres, kPostgresPowers, deadline);
    if (const auto* mysql = std::get_if<policy::MysqlConnection>(&settings.server))
      return visit(settings, *mysql, kMysqlPowers, deadline);
    if (const auto* odbc = std::get_if<policy::OdbcConnection>(&settings.server))
      return visit_odbc(settings, *odbc, deadline);
    const auto opened = make_database(settings, 0, site_.vault)->connect({deadline, {}});
    const auto& file = std::get<policy::SqliteConnection>(settings.server).file;
    if (opened) return {{"login", Verdict::good, fmt::format("{} can be opened", file)}};
    return {{"login", Verdict::bad, opened.error().message, advice_for(opened.error())}};
  }

 private:
  template <class Server>
  Findings visit(const policy::SqlConnection& settings, const Server& server, std::string_view question,
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
    const auto shown = look_at(server, deadline);
    const auto connection = make_database(settings, 0, site_.vault)->connect(limits);
    if (shown) note_tls(findings, server, *shown, connection);
    if (findings.empty() || findings.back().verdict != Verdict::bad) note_login(findings, server, connection);
    if (connection) note_powers(findings, **connection, server.user, question, limits);
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
      note_powers(findings, **connection, odbc.user, kPostgresPowers, limits);
    if (odbc.server == policy::OdbcServer::mysql) note_powers(findings, **connection, odbc.user, kMysqlPowers, limits);
    return findings;
  }

  static void note_powers(Findings& findings, Connection& connection, std::string_view user, std::string_view question,
                          const CallLimits& limits) {
    if (const auto held = powers_of(connection, question, limits); !held.empty())
      findings.push_back({"permission", Verdict::note,
                          fmt::format("{} {}, more than any step needs", user, fmt::join(held, ", ")),
                          "have a user made that may do what the recipes do, and no more"});
  }

  using Connected = StepResult<std::unique_ptr<Connection>>;

  template <class Server>
  std::optional<certificate::Shown> look_at(const Server& server, SteadyTime deadline) const {
    if (server.sslmode == "disable" || server.host.starts_with('/')) return std::nullopt;
    const auto name =
        server.sslmode == "verify-full" ? certificate::Whom::Name::checked : certificate::Whom::Name::not_checked;
    return certificate::look({server.host, server.port, before_tls(server), server.ca_file, name}, site_.clock,
                             deadline);
  }

  // The client libraries show no certificate; whether it was that which failed is in their text, or can be seen. libpq
  // checks with `require` what it checks with `verify-ca`, because it is always given authorities.
  template <class Server>
  static void note_tls(Findings& findings, const Server& server, const certificate::Shown& shown,
                       const Connected& connection) {
    const bool not_connected = !connection && connection.error().classes.back() == "connection";
    if (not_connected && (speaks_of_tls(connection.error().message) || shown.is_refusable())) {
      findings.push_back(shown.bad(connection.error().message));
    } else if (!not_connected) {
      findings.push_back(server.sslmode == "require"
                             ? shown.note("the certificate is good, and nobody looks which host it is for: sslmode is "
                                          "require",
                                          "set `sslmode: verify-full`")
                             : shown.good());
    }
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
