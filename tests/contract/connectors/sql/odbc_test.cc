// What only ODBC has: drivers, their options, calls that hang, servers nobody knows.
#include "agent/connectors/sql/connection_test.h"
#include "agent/connectors/sql/libodbc.h"
#include "agent/connectors/sql/odbc_connection.h"
#include "agent/connectors/sql/sql_actions.h"
#include "agent/platform/fd.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/sql/databases.h"
#include "tests/support/memory.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <future>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;
using Engine = test::SqlWorld::Engine;
using Way = test::SqlWorld::Way;

namespace {

constexpr const char* kCanary = "c4n4ry-password";

Value row(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

std::string list_of(const StepResult<Value>& output) {
  return output ? to_json(*output->find("list")) : output.error().error_class() + ": " + output.error().message;
}

// An agent whose one connection has these settings.
struct Dialled {
  test::ConnectorSite agent;
  std::vector<std::unique_ptr<Action>> actions;

  explicit Dialled(const std::string& settings)
      : agent("connections: {db: {kind: sql, driver: odbc, connect_timeout: 1s, " + settings + "}}",
              "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [select, insert, update, delete, ddl, call]}}}"),
        actions(connectors::sql::make_actions(agent.site())) {}
  StepResult<Value> query(const char* statement) {
    return agent.run(*actions.front(), args({{"statement", statement}}), "db");
  }
  StepResult<Value> execute(const char* statement) {
    return agent.run(*actions.at(1), args({{"statement", statement}}), "db");
  }
  std::string error_class() {
    const auto output = query("select 1 as one");
    CHECK((output || !output.error().message.contains(kCanary)));
    CHECK_FALSE(agent.logged().contains(kCanary));
    return output ? "none" : output.error().classes.back();
  }
};

std::string postgres_at(std::uint16_t port, const std::string& password_file, const std::string& more = "") {
  return fmt::format(
      "odbc_driver: PostgreSQL Unicode, attributes: {{Server: 127.0.0.1, Port: \"{}\", Database: postgres}}, user: "
      "postgres, password_file: \"{}\"{}",
      port, password_file, more);
}
std::string mariadb_at(std::uint16_t port, const std::string& password_file, const std::string& more = "") {
  return fmt::format(
      "odbc_driver: MariaDB Unicode, attributes: {{Server: 127.0.0.1, Port: \"{}\", Database: mysql}}, user: agent, "
      "password_file: \"{}\"{}",
      port, password_file, more);
}
std::string freetds_at(std::uint16_t port, const std::string& password_file) {
  return fmt::format(
      "odbc_driver: FreeTDS, attributes: {{Server: 127.0.0.1, Port: \"{}\", TDS_Version: \"7.4\", Database: erp}}, "
      "user: sa, password_file: \"{}\"",
      port, password_file);
}

// Takes connections, and says nothing.
class SilentPort {
 public:
  SilentPort() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), any, size) == 0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
    ::getsockname(listener_.get(), any, &size);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }

 private:
  platform::Fd listener_;
  std::uint16_t port_ = 0;
};

struct CanaryFile {
  test::TempDir dir;
  std::string path = dir.write("password", kCanary);
  CanaryFile() { ::chmod(path.c_str(), 0600); }
};

}  // namespace

TEST_CASE("types of PostgreSQL come through ODBC", "[sql][odbc]") {
  test::SqlWorld world(Engine::postgres, Way::odbc);
  world.sql(
      "create table t (a bigint, b numeric(30,10), c float4, d float8, e bool, f bytea, g timestamptz, h timestamp, i "
      "date, j time, k text, l smallint, m jsonb); insert into t values (9223372036854775807, 12.5, 0.1, 0.1, "
      "true, '\\x00ff', '2026-01-31 09:30:00.5+02', '2026-01-31 09:30:00', '2026-01-31', '09:30:00', E'ä\\n€😀', -7, "
      "'{\"a\": 1}'), (null, null, null, null, null, '', null, null, null, "
      "null, '', null, null)");
  CHECK(list_of(world.run("sql.query@1", args({{"statement", "select * from t order by a nulls last"}}))) ==
        "[{\"a\":9223372036854775807,\"b\":\"12.5000000000\",\"c\":0.1,\"d\":0.1,\"e\":true,\"f\":\"AP8=\",\"g\":"
        "\"2026-01-31T07:30:00.5Z\",\"h\":\"2026-01-31T09:30:00\",\"i\":\"2026-01-31\",\"j\":\"09:30:00\",\"k\":"
        "\"ä\\n€😀\",\"l\":-7,\"m\":\"{\\\"a\\\": 1}\"},{\"a\":null,"
        "\"b\":null,\"c\":null,\"d\":null,\"e\":null,\"f\":\"\",\"g\":null,\"h\":null,\"i\":null,\"j\":null,\"k\":\"\","
        "\"l\":null,\"m\":null}]");
  const auto rows = world.run("sql.query@1", args({{"statement", "select a, b, c, d, e, f, g, h, i, j, k from t"}}));
  REQUIRE(rows);
  const char* back =
      "insert into t (a, b, c, d, e, f, g, h, i, j, k) values (:a, :b, :c, :d, :e, :f, :g, :h, :i, :j, :k)";
  CHECK(world.affected(back, *rows->find("rows")) == 2);
  INFO(world.sql("select distinct a, b, c, d, e, f, g, h, i, j, k from t"));
  CHECK(world.sql("select count(*) from (select distinct a, b, c, d, e, f, g, h, i, j, k from t) x") == "2");
}

TEST_CASE("types of MariaDB come through ODBC", "[sql][odbc]") {
  test::SqlWorld world(Engine::mariadb, Way::odbc);
  world.sql(
      "create table t (a bigint unsigned, b decimal(30,10), c float, d double, g timestamp(1) null, h datetime(6), i "
      "date, j time, k longtext character set utf8mb4, l tinyint(1), p varbinary(4)); set time_zone = '+02:00'; insert "
      "into t values "
      "(18446744073709551615, '12.50', 0.1, 0.1, '2026-01-31 09:30:00.5', '2026-01-31 09:30:00.5', '2026-01-31', "
      "'09:30:00', 'ä\\n€😀', true, x'00ff')");
  CHECK(list_of(world.run("sql.query@1", args({{"statement", "select * from t"}}))) ==
        "[{\"a\":18446744073709551615,\"b\":\"12.5000000000\",\"c\":0.1,\"d\":0.1,\"g\":\"2026-01-31T07:30:00.5\","
        "\"h\":\"2026-01-31T09:30:00.5\",\"i\":\"2026-01-31\",\"j\":\"09:30:00\",\"k\":\"ä\\n€😀\",\"l\":1,\"p\":"
        "\"AP8=\"}]");
  const auto rows = world.run("sql.query@1", args({{"statement", "select * from t"}}));
  REQUIRE(rows);
  CHECK(
      world.affected("insert into t (a, b, c, d, g, h, i, j, k, l, p) values (:a, :b, :c, :d, :g, :h, :i, :j, :k, :l, "
                     ":p)",
                     *rows->find("rows")) == 1);
  CHECK(world.sql("select count(*) from (select distinct a, b, c, d, g, h, i, j, k, l, p from t) x") == "1");
}

TEST_CASE("parameters of every kind arrive through ODBC", "[sql][odbc]") {
  auto world = test::SqlWorld::any_by_odbc();
  const bool is_postgres = world.engine == Engine::postgres;
  world.sql(is_postgres ? "create table p (i bigint, d numeric(20,2), b bool, t text, f float8, z timestamptz, y bytea)"
                        : "create table p (i bigint, d decimal(20,2), b bool, t text character set utf8mb4, f double, "
                          "z datetime(6), y blob)");
  const auto set = row({{"i", INT64_MIN},
                        {"d", "0.10"},
                        {"b", true},
                        {"t", std::string(5'000, 'x') + "ä'\\€😀"},
                        {"f", 0.1 + 0.2},
                        {"z", Timestamp{1'769'844'600, 500'000'000}},
                        {"y", Bytes{std::byte{0}, std::byte{255}}}});
  CHECK(world.affected("insert into p (i, d, b, t, f, z, y) values (:i, :d, :b, :t, :f, :z, :y)", set) == 1);
  const auto found = world.run("sql.query@1", args({{"statement", "select i, d, b, t, f, z, y from p where i = :i"},
                                                    {"params", row({{"i", INT64_MIN}})}}));
  REQUIRE(found);
  const auto& got = found->find("list")->as_list().at(0);
  CHECK(got.find("i")->as_int() == INT64_MIN);
  CHECK(got.find("d")->as_string() == "0.10");
  CHECK(*got.find("t") == *set.find("t"));
  CHECK(got.find("f")->as_double() == 0.1 + 0.2);
  CHECK(got.find("z")->as_string() == (is_postgres ? "2026-01-31T07:30:00.5Z" : "2026-01-31T07:30:00.5"));
  CHECK(got.find("y")->as_bytes() == set.find("y")->as_bytes());
  const auto nul = world.execute("insert into p (t) values (:t)", row({{"t", std::string("a\0b", 3)}}));
  CHECK(nul.error().message == "the parameter :t holds a NUL character, which ODBC cannot carry");
}

TEST_CASE("large texts and bytes come whole through ODBC, and rows that are too large not at all",
          "[sql][odbc][bounds]") {
  auto world = test::SqlWorld::any_by_odbc();
  const bool is_postgres = world.engine == Engine::postgres;
  world.sql(is_postgres ? "create table l (t text, y bytea)"
                        : "create table l (t longtext character set utf8mb4, y longblob)");
  std::string text;
  Bytes bytes;
  for (int i = 0; i < 20'000; ++i) text += "aä€😀";
  for (int i = 0; i < 100'000; ++i) bytes.push_back(static_cast<std::byte>(i * 7));
  CHECK(world.affected("insert into l (t, y) values (:t, :y)", row({{"t", Value(text)}, {"y", Value(bytes)}})) == 1);
  const auto output = world.run("sql.query@1", args({{"statement", "select t, y from l"}}));
  REQUIRE(output);
  auto rows = world.agent->bodies.open_rows(output->find("rows")->as_handle());
  REQUIRE(rows);
  const auto got = (*rows)->next();
  REQUIRE(got);
  CHECK(((*got)->find("t")->as_string() == text));
  CHECK(((*got)->find("y")->as_bytes() == bytes));
  const auto sized = [&](int size) {
    const auto given =
        world.run("sql.query@1",
                  args({{"statement", Value(fmt::format("select 'x' as t union all select repeat('x', {})", size))}}));
    return given ? "none" : given.error().error_class() + ": " + given.error().message;
  };
  CHECK(sized(4'100'000) == "none");
  CHECK(sized(4'300'000) == "too_large: row 2 is larger than 4194304 bytes, the limit for one row");
}

TEST_CASE("a password may hold what a connection string is made of, but for braces", "[sql][odbc]") {
  const test::TempDir dir;
  const auto login = [&](const std::string& password) {
    const auto file = dir.write("password", password);
    ::chmod(file.c_str(), 0600);
    std::string all;
    for (const auto& settings :
         {postgres_at(test::postgres().port(), file), mariadb_at(test::mariadb().port(), file)}) {
      auto as_odd = settings;
      as_odd.replace(as_odd.find("user: "), as_odd.find(", password_file") - as_odd.find("user: "), "user: odd");
      all += Dialled(as_odd).error_class() + " ";
    }
    return all;
  };
  const std::string odd = "p;PWD=x = %41+\"y\"";
  test::postgres().sql("create role odd login password '" + odd + "'");
  test::mariadb().sql("create user odd@127.0.0.1 identified by '" + odd +
                      "'; grant select on mysql.* to odd@127.0.0.1");
  CHECK(login(odd) == "none none ");
  CHECK(login(odd + "x") == "permission permission ");
  CHECK(login("a}b") == "invalid invalid ");
}

TEST_CASE("a reading step cannot write through ODBC, whatever it calls", "[sql][odbc]") {
  auto world = test::SqlWorld::any_by_odbc();
  world.sql(world.engine == Engine::postgres
                ? "create function sneak() returns int language sql as $$ insert into orders (id) values (1) returning "
                  "1 $$"
                : "delimiter //\ncreate function sneak() returns int begin insert into orders (id) values (1); return "
                  "1; end//\n");
  const auto output = world.run("sql.query@1", args({{"statement", "select sneak() as x"}}));
  REQUIRE_FALSE(output);
  CHECK(output.error().classes == std::vector<std::string>{"sqlstate:25006", "permission"});
  CHECK(world.sql("select count(*) from orders") == "0");
}

TEST_CASE("no text of a driver is told, for it may quote data", "[sql][odbc]") {
  auto world = test::SqlWorld::any_by_odbc();
  for (const char* statement :
       {"insert into typed (i) values (:v)", "select nowhere.c4n4ry from orders", "select c4n4ry("}) {
    const auto output = world.execute(statement, row({{"v", "c4n4ry"}}));
    REQUIRE_FALSE(output);
    INFO(output.error().message);
    CHECK(output.error().classes.back() == "invalid");
    CHECK_FALSE(output.error().message.contains("c4n4ry"));
  }
}

// Debian 12's driver of MariaDB holds a result whole, whatever its options say.
TEST_CASE("rows stream through ODBC", "[sql][odbc][memory]") {
  test::SqlWorld world(Engine::postgres, Way::odbc);
  world.agent->patience = 5min;
  const test::PeakMemory peak;
  const auto output = world.run(
      "sql.query@1", args({{"statement",
                            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 4000) select i, "
                            "repeat('x', 12500) as t from n"}}));  // 50 MB
  REQUIRE(list_of(output) == "null");
  CHECK(output->find("count")->as_int() == 4'000);
  CHECK(peak.grown() < 16u << 20);
}

TEST_CASE("a server that falls silent is left behind, and the next step is fine", "[sql][odbc][hang]") {
  auto world = test::SqlWorld::any_by_odbc();
  const bool is_postgres = world.engine == Engine::postgres;
  std::thread later([&] {
    std::this_thread::sleep_for(300ms);
    is_postgres ? test::postgres().pause() : test::mariadb().pause();
  });
  world.agent->patience = 1s;
  const auto begin = std::chrono::steady_clock::now();
  const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
  later.join();
  is_postgres ? test::postgres().resume() : test::mariadb().resume();
  REQUIRE_FALSE(output);
  CHECK(output.error().error_class() == "timeout");
  world.agent->patience = 30s;
  CHECK(list_of(world.run("sql.query@1", args({{"statement", "select 1 as one"}}))) == R"([{"one":1}])");
}

TEST_CASE("a call that hangs is left behind with its thread, and counted until it comes back", "[sql][odbc][hang]") {
  const auto left = std::make_shared<std::atomic<int>>(0);
  std::promise<void> release;
  {
    connectors::sql::CallThread thread(left);
    thread.start([] {});
    REQUIRE(thread.wait(std::chrono::steady_clock::now() + 20s, {}));
    thread.start([released = release.get_future().share()] { released.wait(); });
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(thread.wait(std::chrono::steady_clock::now() + 20s, stop.get_token()));
    CHECK_FALSE(thread.wait(std::chrono::steady_clock::now() + 10ms, {}));
  }
  CHECK(*left == 1);
  release.set_value();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (*left > 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  CHECK(*left == 0);

  const vault::LocalVault vault;
  const auto refused = connectors::sql::connect_odbc({.driver = "any"}, vault, std::make_shared<std::atomic<int>>(8),
                                                     {std::chrono::steady_clock::now() + 20s, {}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "8 calls of the driver have not come back");
}

TEST_CASE("a server that goes away in the middle is a lost connection", "[sql][odbc]") {
  auto world = test::SqlWorld::any_by_odbc();
  const bool is_postgres = world.engine == Engine::postgres;
  std::thread later([&] {
    std::this_thread::sleep_for(300ms);
    is_postgres ? test::postgres().stop() : test::mariadb().stop();
  });
  const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
  later.join();
  is_postgres ? test::postgres().start() : test::mariadb().start();
  REQUIRE_FALSE(output);
  CHECK(output.error().classes.back() == "connection");
  CHECK(world.run("sql.query@1", args({{"statement", "select 1 as one"}})));
}

TEST_CASE("connections by ODBC that cannot be made have their classes, and tell no password", "[sql][odbc]") {
  const CanaryFile canary;
  const auto good = test::postgres().password_file();
  struct Row {
    std::string settings, error_class;
  };
  const Row table[] = {
      {postgres_at(test::postgres().port(), good, ", server: postgres"), "none"},
      {postgres_at(test::postgres().port(), good), "none"},
      {postgres_at(test::postgres().port(), canary.path), "permission"},
      {postgres_at(test::postgres().port(), good, ", server: mysql"), "invalid"},
      {postgres_at(1, canary.path), "connection"},
      {mariadb_at(test::mariadb().port(), test::mariadb().password_file(), ", server: mysql"), "none"},
      {mariadb_at(test::mariadb().port(), canary.path), "permission"},
      {mariadb_at(1, canary.path), "connection"},
      {freetds_at(1, canary.path), "connection"},
      {freetds_at(test::mariadb().port(), canary.path), "connection"},
      {freetds_at(test::postgres().port(), canary.path), "connection"},
      {"odbc_driver: No Such Driver, user: a, password_file: \"" + canary.path + "\"", "connection"},
      {"dsn: nowhere", "connection"},
  };
  for (const auto& one : table) {
    INFO(one.settings);
    CHECK(Dialled(one.settings).error_class() == one.error_class);
  }
}

TEST_CASE("a port that stays silent keeps no step", "[sql][odbc][hang]") {
  const CanaryFile canary;
  const SilentPort silent;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::future<std::string>> classes;
  for (const auto& settings : {postgres_at(silent.port(), canary.path), mariadb_at(silent.port(), canary.path),
                               freetds_at(silent.port(), canary.path)}) {
    classes.push_back(std::async(std::launch::async, [settings] {
      Dialled dialled(settings);
      const auto output = dialled.query("select 1 as one");
      return output ? "none" : output.error().classes.back();
    }));
  }
  for (auto& one : classes) CHECK(one.get() == "connection");
  CHECK(std::chrono::steady_clock::now() - begin < 25s);
}

TEST_CASE("a server nobody knows is used for what every driver can", "[sql][odbc]") {
  test::SqlWorld world(Engine::sqlite, Way::odbc);
  CHECK(world.affected(
            "insert into orders (id, name) values (:id, :name)",
            Value(ValueList{row({{"id", INT64_MAX}, {"name", "ä€"}}), row({{"id", 2}, {"name", Value()}})})) == 2);
  CHECK(list_of(world.run("sql.query@1", args({{"statement", "select id, name from orders order by id desc"}}))) ==
        R"([{"id":9223372036854775807,"name":"ä€"},{"id":2,"name":null}])");
  const auto twice = world.execute("insert into orders (id, name) values (:id, :name)",
                                   Value(ValueList{row({{"id", 3}, {"name", "a"}}), row({{"id", 2}, {"name", "b"}})}));
  REQUIRE_FALSE(twice);
  CHECK(twice.error().message.contains("set of parameters number 2"));
  CHECK(world.sql("select count(*) from orders") == "2");
  CHECK_FALSE(world.actions["sql.execute@1"]->keeps_ledger("db", Value(args({}))));
  const Value ddl(args({{"statement", "create table x (i integer)"}}));
  Dialled dialled("odbc_driver: SQLite3, attributes: {Database: \"" + world.database + "\"}");
  const auto two = dialled.agent.run(*dialled.actions.at(2), args({{"statements", Value(ValueList{ddl, ddl})}}), "db");
  CHECK(two.error().message.contains("commits ddl by itself"));
  CHECK(dialled.execute("create table x (i integer)"));
}

TEST_CASE("a name in odbc.ini leads to what stands there", "[sql][odbc]") {
  const test::TempDir dir;
  const auto ini =
      dir.write("odbc.ini", "[files]\nDriver = SQLite3\nDatabase = " + dir.path("a.db") + "\nStepAPI = 1\n");
  ::setenv("ODBCINI", ini.c_str(), 1);
  Dialled dialled("dsn: files");
  CHECK(dialled.execute("create table t (i integer)"));
  CHECK(dialled.execute("insert into t values (7)"));
  CHECK(list_of(dialled.query("select i from t")) == R"([{"i":7}])");
  ::unsetenv("ODBCINI");
}

TEST_CASE("what servers behind ODBC read differently is refused", "[sql][odbc][policy]") {
  Dialled dialled("odbc_driver: SQLite3, attributes: {Database: \"/nonexistent/x\"}");
  for (const char* statement : {"select 1 exec xp_cmdshell", "select 1 /* x */ as one", "select 1 -- x",
                                "select '\\' as one", "select {fn now()}", "update orders set id = 1 set nocount on",
                                "select q'[it's]' as x", "select 'a\xca\xbc' as x"}) {
    INFO(statement);
    const auto refused = dialled.execute(statement);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error_class() == "policy");
  }
}

TEST_CASE("a connection by ODBC is tested, and says who may do everything", "[sql][odbc][connection]") {
  const auto checks = [](const std::string& settings) {
    test::ConnectorSite agent("connections: {db: {kind: sql, driver: odbc, " + settings + "}}", "actions: [\"sql.*\"]");
    const auto site = agent.site();
    std::string all;
    for (const auto& finding : connectors::sql::make_connection_test(site)->run(
             site.connections.find("db")->second, std::chrono::steady_clock::now() + 20s)) {
      all += finding.check + (finding.verdict == findings::Verdict::good  ? "+ "
                              : finding.verdict == findings::Verdict::bad ? "- "
                                                                          : "! ");
      CHECK_FALSE(finding.text.contains(kCanary));
    }
    return all;
  };
  const CanaryFile canary;
  const auto good = test::postgres().password_file();
  CHECK(checks(postgres_at(test::postgres().port(), good, ", server: postgres")) == "login+ permission! ");
  CHECK(checks(mariadb_at(test::mariadb().port(), test::mariadb().password_file(), ", server: mysql")) ==
        "login+ permission! ");
  CHECK(checks(postgres_at(test::postgres().port(), canary.path)) == "login- ");
}

TEST_CASE("a driver manager that is missing or another library is named, with what to install", "[sql][odbc]") {
  const auto missing = connectors::sql::open_libodbc("libodbc.so.none");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.contains("(Debian: the package libodbc2): cannot load libodbc.so.none"));
  CHECK(connectors::sql::open_libodbc("libm.so.6").error().message.ends_with("libm.so.6 has no SQLAllocHandle"));
}
