// What `sallyport-agent connection test` finds out of databases.
#include "agent/connectors/sql/connection_test.h"
#include "tests/contract/connectors/sql/databases.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace sallyport;
using findings::Verdict;

namespace {

// The checks with the first letters of their verdicts, as in "dns+ tcp+ login-".
struct Found {
  std::string checks, bad, texts;
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

TEST_CASE("a certificate that holds is told", "[sql][mariadb][connection]") {
  const auto& server = test::mariadb();
  const auto settings =
      fmt::format("driver: mysql, host: 127.0.0.1, port: {}, database: mysql, user: agent, password_file: \"{}\"",
                  server.port(), server.password_file());
  CHECK(found(settings + ", sslmode: verify-full, ca_file: \"" + server.ca_file() + "\"").checks ==
        "dns+ tcp+ tls+ login+ permission!");
}

TEST_CASE("a database in a file is opened", "[sql][sqlite][connection]") {
  CHECK(found("driver: sqlite, file: \"@DIR@/none.db\"").checks == "login-");
}
