// What `sallyport-agent connection test` finds out of databases.
#include "agent/connectors/sql/connection_test.h"
#include "shared/base/text.h"
#include "tests/contract/connectors/sql/databases.h"
#include "tests/support/told_certificate.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <thread>

using namespace sallyport;
using findings::Verdict;

namespace {

// The checks with the first letters of their verdicts, as in "dns+ tcp+ login-".
struct Found {
  std::string checks, bad, texts;
  findings::Findings findings;
};

Found found(const std::string& settings) {
  test::ConnectorSite agent("connections: {db: {kind: sql, " + settings + "}}", "actions: [\"sql.*\"]");
  const auto site = agent.site();
  const auto test = connectors::sql::make_connection_test(site);
  Found found;
  for (const auto& finding :
       test->run(site.connections.find("db")->second, std::chrono::steady_clock::now() + std::chrono::seconds(20))) {
    const bool is_bad = finding.verdict == Verdict::bad;
    found.checks += (found.checks.empty() ? "" : " ") + finding.check;
    found.checks += is_bad ? '-' : finding.verdict == Verdict::note ? '!' : '+';
    found.texts += finding.text + "\n";
    if (is_bad) found.bad = finding.text;
    CHECK(finding.advice.empty() == (finding.verdict == Verdict::good));
    found.findings.push_back(finding);
  }
  return found;
}

struct Server {
  const char* driver;
  std::uint16_t port;
  std::string password_file, user;
  std::string with(const std::string& more, const std::string& database, std::uint16_t at_port = 0) const {
    return fmt::format("driver: {}, host: 127.0.0.1, port: {}, database: {}{}", driver, at_port == 0 ? port : at_port,
                       database, more);
  }
};

// While it lives, the server speaks TLS. Its key is written by the server, who alone may read it.
struct TlsOfPostgres {
  TlsOfPostgres() {
    for (const auto* name : {"server", "other"})
      test::output_of(
          fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
                      "/CN={0} -addext subjectAltName=IP:127.0.0.1 -keyout {1}/{0}.key -out {1}/{0}.pem 2>&1",
                      name, dir.path()));
    for (const auto* end : {"key", "pem"})
      test::postgres().sql(fmt::format("copy (select '{}') to program 'umask 077; base64 -d > tls.{}'",
                                       base64(as_bytes(dir.read(fmt::format("server.{}", end)))), end));
    test::postgres().sql("alter system set ssl_cert_file = 'tls.pem'");
    test::postgres().sql("alter system set ssl_key_file = 'tls.key'");
    turn("on");
  }
  ~TlsOfPostgres() { turn("off"); }
  TlsOfPostgres(const TlsOfPostgres&) = delete;
  TlsOfPostgres& operator=(const TlsOfPostgres&) = delete;

  static void turn(const std::string& way) {
    test::postgres().sql("alter system set ssl = " + way);
    test::postgres().sql("select pg_reload_conf()");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!test::postgres().sql("show ssl").contains(way) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  test::TempDir dir;
  std::string file = dir.path("server.pem"), other = dir.path("other.pem");
};

}  // namespace

TEST_CASE("a database is tested step by step: the way to it, the login, and what the login may", "[sql][connection]") {
  const bool is_postgres = GENERATE(true, false);
  const Server server = is_postgres
                            ? Server{"postgres", test::postgres().port(), test::postgres().password_file(), "postgres"}
                            : Server{"mysql", test::mariadb().port(), test::mariadb().password_file(), "agent"};
  const std::string database = is_postgres ? "postgres" : "mysql";
  const test::TempDir dir;
  const auto wrong = dir.write("wrong", "c4n4ry-password");
  ::chmod(wrong.c_str(), 0600);
  const auto as = [](const std::string& user, const std::string& file) {
    return fmt::format(", user: {}, password_file: \"{}\"", user, file);
  };
  const auto good = as(server.user, server.password_file);
  CHECK(found(server.with(good, database)).checks == "dns+ tcp+ login+ permission!");
  CHECK(found(server.with(good, "nowhere")).checks == "dns+ tcp+ login-");
  CHECK(found(server.with(good, database, 1)).checks == "dns+ tcp-");
  const auto refused = found(server.with(as(server.user, wrong), database));
  CHECK(refused.checks == "dns+ tcp+ login-");
  CHECK_FALSE(refused.texts.contains("c4n4ry"));
  CHECK(found(server.with(as(server.user, dir.path("none")), database)).bad.contains(dir.path("none")));
  CHECK(found(server.with(good + ", sslmode: verify-full", database)).checks == "dns+ tcp+ tls-");

  const auto password = test::PostgresServer::password();
  if (is_postgres) {
    test::postgres().sql("create role plain login password '" + password + "'");
  } else {
    test::mariadb().sql("create user plain@127.0.0.1 identified by '" + password +
                        "'; grant select on mysql.* to "
                        "plain@127.0.0.1");
  }
  CHECK(found(server.with(as("plain", server.password_file), database)).checks == "dns+ tcp+ login+");
}

TEST_CASE("the certificate of a MariaDB server is told, whether or not it holds", "[sql][mariadb][connection]") {
  const auto& server = test::mariadb();
  const auto settings = fmt::format(
      "driver: mysql, host: 127.0.0.1, port: {}, database: mysql, user: agent, password_file: \"{}\", sslmode: "
      "verify-full",
      server.port(), server.password_file());
  const auto good = found(settings + ", ca_file: \"" + server.ca_file() + "\"");
  CHECK(good.checks == "dns+ tcp+ tls+ login+ permission!");
  test::check_told(good.findings, server.ca_file());
  const auto unknown = found(settings);
  CHECK(unknown.checks == "dns+ tcp+ tls-");
  test::check_told(unknown.findings, server.ca_file());
}

TEST_CASE("the certificate of a PostgreSQL server is told, whether or not it holds", "[sql][postgres][connection]") {
  const TlsOfPostgres tls;
  const auto settings = [&](const std::string& sslmode, const std::string& ca_file) {
    return fmt::format(
        "driver: postgres, host: 127.0.0.1, port: {}, database: postgres, user: postgres, password_file: \"{}\", "
        "sslmode: {}, ca_file: \"{}\"",
        test::postgres().port(), test::postgres().password_file(), sslmode, ca_file);
  };
  const auto good = found(settings("verify-full", tls.file));
  CHECK(good.checks == "dns+ tcp+ tls+ login+ permission!");
  test::check_told(good.findings, tls.file);
  const auto unknown = found(settings("verify-full", tls.other));
  CHECK(unknown.checks == "dns+ tcp+ tls-");
  test::check_told(unknown.findings, tls.file);
  for (const std::string mode : {"verify-ca", "require"}) {  // which host it is for does not count
    INFO(mode);
    CHECK(found(settings(mode, tls.file)).checks ==
          (mode == "require" ? "dns+ tcp+ tls! login+ permission!" : "dns+ tcp+ tls+ login+ permission!"));
    CHECK(found(settings(mode, tls.other)).checks == "dns+ tcp+ tls-");
  }
}

TEST_CASE("what a login may beyond every step's needs is named", "[sql][connection]") {
  const auto& postgres = test::postgres();
  const auto password = test::PostgresServer::password();
  postgres.sql("create role bypasser login bypassrls createrole password '" + password +
               "'; create role reader login password '" + password + "'; grant pg_read_server_files to reader");
  const auto as = [&](const std::string& user) {
    return found(fmt::format("driver: postgres, host: 127.0.0.1, port: {}, database: postgres, user: {}, "
                             "password_file: \"{}\"",
                             postgres.port(), user, postgres.password_file()))
        .texts;
  };
  CHECK(as("postgres").contains("postgres is a superuser, more than any step needs"));
  CHECK(as("bypasser").contains("bypasser passes by row security, makes roles, more than"));
  CHECK(as("reader").contains("reader reads files of the server, more than"));
  const auto& mariadb = test::mariadb();
  mariadb.sql("create user filer@127.0.0.1 identified by '" + test::MariadbServer::password() +
              "'; grant file, select on *.* to filer@127.0.0.1");
  CHECK(found(fmt::format("driver: mysql, host: 127.0.0.1, port: {}, database: mysql, user: filer, password_file: "
                          "\"{}\"",
                          mariadb.port(), mariadb.password_file()))
            .texts.contains("filer has FILE, more than any step needs"));
}

TEST_CASE("a database in a file is opened", "[sql][sqlite][connection]") {
  CHECK(found("driver: sqlite, file: \"@DIR@/none.db\"").checks == "login-");
}
