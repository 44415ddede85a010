// What only MySQL and MariaDB have: types, tables without transactions, ddl that commits, logins, TLS.
#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/libmariadb.h"
#include "agent/connectors/sql/sql_actions.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/sql/databases.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <array>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;
using Engine = test::SqlWorld::Engine;

namespace {

using Classes = std::vector<std::string>;

Value row(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

// An agent whose one connection has these settings, and a policy that allows everything.
struct Dialled {
  test::ConnectorSite agent;
  std::vector<std::unique_ptr<Action>> actions;

  explicit Dialled(const std::string& settings)
      : agent("connections: {db: {kind: sql, driver: mysql, connect_timeout: 2s, " + settings + "}}",
              "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [select, insert, update, delete, ddl, call]}}}"),
        actions(sql::make_actions(agent.site())) {}
  StepError error() {
    const auto output = agent.run(*actions.front(), args({{"statement", "select 1 as one"}}), "db");
    return output ? StepError{{"none"}, "none", {}} : output.error();
  }
  StepResult<Value> execute(const std::string& statement, bool exactly_once = false) {
    return agent.run(*actions.at(1), args({{"statement", Value(statement)}, {"exactly_once", exactly_once}}), "db");
  }
  StepResult<Value> transaction(std::initializer_list<const char*> statements, bool exactly_once = false) {
    ValueList list;
    for (const auto* text : statements) list.push_back(row({{"statement", text}}));
    return agent.run(*actions.at(2), args({{"statements", Value(std::move(list))}, {"exactly_once", exactly_once}}),
                     "db");
  }
};

std::string at(std::uint16_t port, const std::string& password_file, const std::string& user = "agent",
               const std::string& database = "mysql") {
  return fmt::format("host: 127.0.0.1, port: {}, user: {}, database: {}, password_file: \"{}\"", port, user, database,
                     password_file);
}
std::string here(const std::string& database = "mysql") {
  return at(test::mariadb().port(), test::mariadb().password_file(), "agent", database);
}

void make_routine(test::SqlWorld& world, const std::string& text) {
  world.sql("delimiter //\ncreate " + text + "//\n");
}

std::string list_of(const StepResult<Value>& output) {
  return output ? to_json(*output->find("list")) : output.error().error_class() + ": " + output.error().message;
}

}  // namespace

TEST_CASE("types of MariaDB come back as the documents say", "[sql][mariadb]") {
  test::SqlWorld world(Engine::mariadb);
  world.sql(
      "create table t (a bigint unsigned, b decimal(30,10), c float, d double, e bit(1), f bit(64), g year, h time(3), "
      "i date, j datetime(6), k timestamp(1) null, l json, m enum('x','ä'), n set('p','q'), o tinyint(1), p "
      "varbinary(4), "
      "q mediumint, r char(3), s longtext, u time); set time_zone = '+02:00'; insert into t values "
      "(18446744073709551615, "
      "'12.50', 0.1, 0.1, 1, ~0, 2026, '-12:00:00.5', '2026-01-31', '2026-01-31 09:30:00.5', '2026-01-31 09:30:00.5', "
      "'{\"a\": 1}', 'ä', 'p,q', true, x'00ff', -8388608, 'abc', 'text', '838:59:59')");
  CHECK(list_of(world.run("sql.query@1", args({{"statement", "select * from t"}}))) ==
        R"([{"a":18446744073709551615,"b":"12.5000000000","c":0.1,"d":0.1,"e":1,"f":18446744073709551615,"g":2026,)"
        R"("h":"-12:00:00.500","i":"2026-01-31","j":"2026-01-31T09:30:00.500000","k":"2026-01-31T07:30:00.5",)"
        R"("l":"{\"a\": 1}","m":"ä","n":"p,q","o":1,"p":"AP8=","q":-8388608,"r":"abc","s":"text","u":"838:59:59"}])");
  CHECK(list_of(
            world.run("sql.query@1", args({{"statement",
                                            "select null as a, 1.5e0 as b, 1.50 as c, max(i) as d, now() is null as e "
                                            "from typed"}}))) == R"([{"a":null,"b":1.5,"c":"1.50","d":null,"e":0}])");
  const auto rows = world.run("sql.query@1", args({{"statement", "select a, b, c, d, e, f, h, i, j, k, p from t"}}));
  REQUIRE(rows);
  const char* back =
      "insert into t (a, b, c, d, e, f, h, i, j, k, p) values (:a, :b, :c, :d, :e, :f, :h, :i, :j, :k, :p)";
  CHECK(world.affected(back, *rows->find("rows")) == 1);
  CHECK_FALSE(world.sql("select distinct a, b, c, d, e + 0, f + 0, h, i, j, k, hex(p) from t").contains('\n'));
}

TEST_CASE("parameters of every kind arrive in MariaDB", "[sql][mariadb]") {
  test::SqlWorld world(Engine::mariadb);
  const char* ask =
      "select cast(:i as signed) as i, cast(:u as unsigned) as u, cast(:d as decimal(4,2)) as d, :b as b, :t as t, :t "
      "as "
      "again, json_value(:j, '$.k') as k, :n as n, :f + 0e0 as f, cast(:z as datetime(6)) as z, hex(:y) as y";
  const auto set = row({{"i", INT64_MIN},
                        {"u", UINT64_MAX},
                        {"d", "0.10"},
                        {"b", true},
                        {"t", std::string("ä'\\\0\"", 6)},
                        {"j", row({{"k", "v"}})},
                        {"n", Value()},
                        {"f", 0.1},
                        {"z", Timestamp{1'769'844'600, 500'000'000}},
                        {"y", Bytes{std::byte{0}, std::byte{255}}}});
  CHECK(list_of(world.run("sql.query@1", args({{"statement", ask}, {"params", set}}))) ==
        "[{\"again\":\"ä'\\\\\\u0000\\\"\",\"b\":1,\"d\":\"0.10\",\"f\":0.1,\"i\":-9223372036854775808,\"k\":\"v\","
        "\"n\":null,\"t\":\"ä'\\\\\\u0000\\\"\",\"u\":18446744073709551615,\"y\":\"00FF\","
        "\"z\":\"2026-01-31T07:30:00.500000\"}]");
  const auto formless = world.execute("insert into typed (d) values (:d)", row({{"d", std::nan("")}}));
  CHECK(formless.error().message == "the parameter :d is no finite number, which MySQL cannot store");
}

TEST_CASE("what does not fit is refused, not bent, and never quoted", "[sql][mariadb]") {
  test::SqlWorld world(Engine::mariadb);
  world.sql("create table narrow (i tinyint, t varchar(3), d date)");
  make_routine(world,
               "function shout(t text) returns int begin signal sqlstate '45000' set message_text = t; return 1; end");
  struct Row {
    const char* statement;
    Value value;
    const char* error_class;
  };
  const Row table[] = {
      {"insert into narrow (i) values (:v)", 300, "sqlstate:22003"},
      {"insert into narrow (i) values (:v)", "c4n4ry", "sqlstate:22007"},
      {"insert into narrow (t) values (:v)", "c4n4ry", "sqlstate:22001"},
      {"insert into narrow (d) values (:v)", "c4n4ry", "sqlstate:22007"},
      {"insert into narrow (i) values (1 / :v)", 0, "sqlstate:22012"},
      {"insert into narrow (i) values (shout(:v))", "c4n4ry", "sqlstate:45000"},
  };
  for (const auto& one : table) {
    INFO(one.statement);
    const auto output = world.execute(one.statement, row({{"v", one.value}}));
    REQUIRE_FALSE(output);
    INFO(output.error().message);
    CHECK(output.error().error_class() == one.error_class);
    CHECK_FALSE(output.error().message.contains("c4n4ry"));
  }
  CHECK(world.sql("select count(*) from narrow") == "0");
}

TEST_CASE("no step sees what another has left in its session of MariaDB", "[sql][mariadb][session]") {
  test::SqlWorld world(Engine::mariadb);
  make_routine(world,
               "procedure leave_things() begin set session sql_mode = 'ANSI_QUOTES'; set names latin1; set time_zone = "
               "'+05:00'; set @left = 1; do get_lock('left', 0); end");
  Dialled agent(here(world.database) + ", pool: 1");
  const auto ask = [&](const char* statement) {
    return list_of(agent.agent.run(*agent.actions.front(), args({{"statement", statement}}), "db"));
  };
  for (int i = 0; i < 2; ++i) {
    const auto called = agent.execute("call leave_things()");
    CHECK(called);
    CHECK(
        ask("select variable_name as n, variable_value as v from information_schema.session_variables where "
            "variable_name in ('sql_mode', 'character_set_client', 'time_zone') order by 1") ==
        R"([{"n":"CHARACTER_SET_CLIENT","v":"utf8mb4"},{"n":"SQL_MODE","v":"STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"},{"n":"TIME_ZONE","v":"+00:00"}])");
    CHECK(ask("select is_free_lock('left') as l, \"a\\\"b\" as s") == R"([{"l":1,"s":"a\"b"}])");
  }
}

TEST_CASE("a statement cannot change how the next one is read by MariaDB", "[sql][mariadb][session]") {
  test::SqlWorld world(Engine::mariadb);
  const auto site = world.agent->site();
  const auto database = sql::make_database(*site.connections.find("db")->second.sql(), 0, site.vault);
  const sql::CallLimits limits{std::chrono::steady_clock::now() + 20s, {}};
  const auto connection = database->connect(limits);
  REQUIRE(connection);
  sql::DroppedRows dropped;
  const auto run = [&](const char* text) { return (*connection)->execute({text, {}}, {}, dropped, limits); };
  for (const char* change : {"set sql_mode = 'ANSI_QUOTES'", "set sql_mode = ''", "set names latin1", "do 0"}) {
    INFO(change);
    REQUIRE((*connection)->begin(sql::Access::read_write, limits));
    REQUIRE(run(change));
    const auto next = run("insert into orders (id) values (1)");
    CHECK(next.has_value() == (change == std::string_view("do 0")));
    if (!next) CHECK(next.error().message.contains("no statement may do that"));
    (*connection)->rollback();
  }
}

TEST_CASE("a reading step cannot write to MariaDB, whatever it calls", "[sql][mariadb]") {
  test::SqlWorld world(Engine::mariadb);
  world.sql("create table old (i int) engine=MyISAM; create sequence numbers");
  make_routine(world, "function sneak() returns int begin insert into orders (id) values (1); return 1; end");
  make_routine(world, "function sneak_old() returns int begin insert into old values (1); return 1; end");
  make_routine(world,
               "function turn() returns int begin set session tx_read_only = 0; insert into orders (id) values (1); "
               "return 1; end");
  for (const char* statement :
       {"select sneak() as x", "select sneak_old() as x", "select turn() as x", "select nextval(numbers) as x"}) {
    INFO(statement);
    const auto output = world.run("sql.query@1", args({{"statement", statement}}));
    REQUIRE_FALSE(output);
    CHECK(output.error().classes == Classes{"sqlstate:25006", "permission"});
  }
  CHECK(world.sql("select count(*) from orders") == "0");
  CHECK(world.sql("select count(*) from old") == "0");
}

TEST_CASE("what a rollback does not undo is in doubt, and a sequence is no such thing", "[sql][mariadb][doubt]") {
  test::SqlWorld world(Engine::mariadb);
  world.sql(
      "create table old (i int) engine=MyISAM; create sequence numbers; create table fine (i int default "
      "nextval(numbers), t text)");
  const auto written = world.execute("insert into old values (1)", row({}));
  REQUIRE_FALSE(written);
  CHECK(written.error().classes == Classes{"in_doubt"});
  CHECK(written.error().message.contains("without transactions"));
  CHECK(world.sql("select count(*) from sallyport_effects") == "0");
  const auto returned = world.execute("insert into old values (2) returning i", row({}));
  REQUIRE_FALSE(returned);
  CHECK(returned.error().classes == Classes{"in_doubt"});
  CHECK(world.affected("insert into fine (t) values ('x')", row({})) == 1);
  CHECK(world.affected("insert into fine (t) select 'y' from old", row({})) == 2);
}

TEST_CASE("ddl that commits by itself stands alone", "[sql][mariadb][doubt]") {
  test::SqlWorld world(Engine::mariadb);
  make_routine(world, "procedure commits() begin insert into orders (id) values (7); commit; end");
  Dialled agent(here(world.database) + ", effect_ledger: true");
  CHECK(agent.execute("create table made (i int)"));
  for (const auto& refused :
       {agent.execute("create table other (i int)", true),
        agent.transaction({"insert into orders (id) values (1)", "create table other (i int)"})}) {
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error_class() == "invalid");
    CHECK(refused.error().message.contains("commits ddl by itself"));
  }
  CHECK(world.sql("select count(*) from orders") == "0");

  const auto together = agent.transaction({"insert into orders (id) values (1)", "call commits()"});
  REQUIRE_FALSE(together);
  CHECK(together.error().classes == Classes{"in_doubt"});
  world.sql("delete from orders");
  CHECK(agent.execute("call commits()"));  // alone and without a ledger it is what it is
  world.sql("delete from orders");
  for (int run = 0; run < 2; ++run) {  // with one it is noticed, and the next run finds the key without its effect
    const auto kept = agent.execute("call commits()", true);
    REQUIRE_FALSE(kept);
    CHECK(kept.error().classes == Classes{"in_doubt"});
  }
  CHECK(world.sql("select count(*) from orders") == "1");
}

TEST_CASE("a ledger without transactions is refused", "[sql][mariadb][ledger]") {
  test::SqlWorld world(Engine::mariadb);
  for (const char* engine : {"MyISAM", "Aria", "MEMORY"}) {
    world.sql(
        fmt::format("create or replace table sallyport_effects (`key` varchar(100) primary key, at varchar(40) not "
                    "null, affected bigint not null) engine={}",
                    engine));
    const auto refused = world.execute("insert into orders (id) values (1)", row({}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().classes == Classes{"invalid"});
    CHECK(refused.error().message.contains("engine=InnoDB"));
  }
  CHECK(world.sql("select count(*) from orders") == "0");
}

TEST_CASE("a connection to MariaDB that cannot be made: the agent's log says why", "[sql][mariadb]") {
  auto& server = test::mariadb();
  const test::TempDir dir;
  const auto wrong = dir.write("wrong", "c4n4ry-password");
  ::chmod(wrong.c_str(), 0600);
  server.sql("create or replace user clear@127.0.0.1 identified with mysql_old_password as '0123456789abcdef'");
  struct Row {
    std::string settings, error_class, message, logged;
  };
  const auto tls = here() + ", sslmode: verify-full";
  const Row table[] = {
      {here(), "none", "none", ""},
      {"host: \"" + server.socket() + "\", user: root, database: mysql", "none", "none", ""},
      {tls + ", ca_file: \"" + server.ca_file() + "\"", "none", "none", ""},
      {at(server.port(), wrong), "permission", "the agent was refused", "Access denied"},
      {here("nowhere"), "not_found", "it is not there", "nowhere"},
      {at(1, wrong), "connection", "it could not be reached", "127.0.0.1"},
      {tls, "connection", "it could not be reached", "certificate"},
      {"host: localhost" + tls.substr(15) + ", ca_file: \"" + server.ca_file() + "\"", "connection",
       "it could not be reached", "certificate"},
      {at(server.port(), wrong, "clear"), "permission", "the agent was refused", ""},
  };
  for (const auto& one : table) {
    INFO(one.settings);
    Dialled dialled(one.settings);
    const auto error = dialled.error();
    const auto logged = dialled.agent.logged();
    INFO(logged);
    CHECK(error.classes.back() == one.error_class);
    if (one.error_class == "none") continue;
    CHECK(error.message == "connecting to db: " + one.message + "; the agent's log says more");
    CHECK(logged.contains("\"connection.failed\""));
    CHECK(logged.contains(one.logged));
    CHECK_FALSE(logged.contains("c4n4ry"));
  }
}

TEST_CASE("a server that is gone is found again, one that is cut off or silent ends the step", "[sql][mariadb]") {
  test::SqlWorld world(Engine::mariadb);
  const auto ask = [&](const std::string& statement = "select 1 as one") {
    const auto output = world.run("sql.query@1", args({{"statement", Value(statement)}}));
    return output ? std::string("none") : output.error().classes.back();
  };
  const auto killed = [&] {
    return world.sql("select id from information_schema.processlist where user = 'agent' limit 1");
  };
  REQUIRE(ask() == "none");
  world.sql("kill " + killed());
  CHECK(ask() == "none");
  std::thread killer([&] {
    std::string id;
    while ((id = world.sql("select id from information_schema.processlist where info like 'select sleep%'")).empty())
      std::this_thread::sleep_for(20ms);
    world.sql("kill " + id);
  });
  CHECK(ask(world.endless()) == "connection");
  killer.join();
  CHECK(ask() == "none");
  test::mariadb().stop();
  CHECK(ask() == "connection");
  test::mariadb().start();
  CHECK(ask() == "none");

  world.agent->patience = 500ms;
  test::mariadb().pause();
  const auto pooled = ask();
  world.agent->patience = 4s;
  const auto fresh = Dialled(here()).error();
  test::mariadb().resume();
  CHECK(pooled == "timeout");
  CHECK(fresh.classes.back() == "connection");
  world.agent->patience = 30s;
  CHECK(ask() == "none");
}

TEST_CASE("libmariadb comes with the first connection, and a missing one is named", "[sql][mariadb]") {
  const auto missing = sql::open_libmariadb("libmariadb.so.none");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::not_found);
  CHECK(missing.error().message.contains("(Debian: the package libmariadb3): cannot load libmariadb.so.none"));
  CHECK(sql::open_libmariadb("libm.so.6").error().message.ends_with("libm.so.6 has no mariadb_cancel"));
}
