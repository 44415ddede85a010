// What only PostgreSQL has: a network, a password, types, a server that goes away.
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

Value row(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

// An agent whose one connection has these settings.
struct Dialled {
  test::ConnectorSite agent;
  std::vector<std::unique_ptr<Action>> actions;

  explicit Dialled(const std::string& settings)
      : agent("connections: {db: {kind: sql, driver: postgres, connect_timeout: 2s, " + settings + "}}",
              "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [select, insert, call]}}}"),
        actions(sql::make_actions(agent.site())) {}
  StepError error() {
    const auto output = agent.run(*actions.front(), args({{"statement", "select 1 as one"}}), "db");
    return output ? StepError{{"none"}, "none", {}} : output.error();
  }
};

std::string at(std::uint16_t port, const std::string& password_file, const std::string& user = "postgres",
               const std::string& database = "postgres") {
  return fmt::format("host: 127.0.0.1, port: {}, user: {}, database: {}, password_file: \"{}\"", port, user, database,
                     password_file);
}

}  // namespace

TEST_CASE("types come back as the documents say", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  const auto output = world.run(
      "sql.query@1", args({{"statement",
                            "select 12.50::numeric as n, true as b, 1.5::float8 as f, '\\x00ff'::bytea as y, "
                            "'2026-01-31 09:30:00.5+02'::timestamptz as z, '2026-01-31'::date as d, "
                            "'{\"a\": 1}'::jsonb as j, 'NaN'::float8 as x, array[1,2] as a, null::int as u"}}));
  if (!output) FAIL(output.error().message);
  CHECK(
      to_json(*output->find("list")) ==
      R"([{"a":"{1,2}","b":true,"d":"2026-01-31","f":1.5,"j":"{\"a\": 1}","n":"12.50","u":null,"x":"NaN","y":"AP8=","z":"2026-01-31T07:30:00.5Z"}])");
}

TEST_CASE("parameters of every kind arrive", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  const auto output = world.run("sql.query@1", args({{"statement",
                                                      "select :i::bigint as i, :d::numeric as d, :b::bool as b, "
                                                      ":t::text as t, :j::jsonb ->> 'k' as k, :n::int as n"},
                                                     {"params", row({{"i", INT64_MIN},
                                                                     {"d", "0.10"},
                                                                     {"b", false},
                                                                     {"t", "ä'\\"},
                                                                     {"j", row({{"k", "v"}})},
                                                                     {"n", Value()}})}}));
  if (!output) FAIL(output.error().message);
  CHECK(to_json(*output->find("list")) ==
        R"([{"b":false,"d":"0.10","i":-9223372036854775808,"k":"v","n":null,"t":"ä'\\"}])");
  const auto nul =
      world.execute("insert into orders (id, name) values (1, :name)", row({{"name", std::string("a\0b", 3)}}));
  CHECK(nul.error().message == "the parameter :name holds a NUL character, which PostgreSQL cannot store");
}

TEST_CASE("bytes are a bytea or nothing", "[sql][postgres][bytes]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("create domain picture as bytea; create table pictures (id int, b bytea, t text, p picture)");
  const Value bytes(Bytes{std::byte{0xde}, std::byte{0}, std::byte{0x5c}});
  const auto one = [&](const char* statement) {
    return world.run("sql.query@1", args({{"statement", statement}, {"params", row({{"b", bytes}})}}));
  };
  const auto told = one("select encode(:b, 'hex') as h, length(:b::bytea) as n, :b::bytea as b");
  if (!told) FAIL(told.error().message);
  CHECK(stored_json(*told->find("list")) == R"([{"b":{"$bytes":"3gBc"},"h":"de005c","n":3}])");

  CHECK(world.affected("insert into pictures (id, b) values (:id, :b)",
                       Value(ValueList{row({{"id", 1}, {"b", bytes}}), row({{"id", 2}, {"b", Value()}}),
                                       row({{"id", 3}, {"b", Value(Bytes{})}}), row({{"id", 4}, {"b", "\\x0102"}}),
                                       row({{"id", 5}, {"b", bytes}})})) == 5);
  CHECK(world.sql("select id, b from pictures order by id") == "1|\\xde005c\n2|\n3|\\x\n4|\\x0102\n5|\\xde005c");
  CHECK(world.sql("select id from pictures where b is null") == "2");
  CHECK(world.affected("insert into pictures (p) values (:b::bytea)", row({{"b", bytes}})) == 1);

  for (const char* statement : {"insert into pictures (t) values (:b)", "update pictures set id = :b", "select :b as b",
                                "insert into pictures (p) values (:b)"}) {
    INFO(statement);
    const auto refused = world.execute(statement, row({{"b", bytes}}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error_class() == "invalid");
    CHECK(refused.error().message.find("the parameter :b is bytes") == 0);
    CHECK(refused.error().message.find("write :b::bytea") != std::string::npos);
  }
  CHECK(world.sql("select count(*) from pictures where t is not null") == "0");
  CHECK(one("select length(:b::bytea) as n"));  // the session is fine afterwards
}

TEST_CASE("doubles of every kind go through rows", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  world.sql(
      "create table d (id int, x float8, y float4); insert into d values (1, 2, 2), (2, 'NaN', 'NaN'), "
      "(3, 'Infinity', '-Infinity'), (4, '-0', '-0'), (5, 0.1, 0.1), (6, 1e300, 1e30), (7, null, null)");
  const auto output = world.run("sql.query@1", args({{"statement", "select id + 10 as id, x, y from d order by id"}}));
  REQUIRE(output);
  CHECK(output->find("list")->as_list()[0].find("x")->is(Value::Kind::float64));
  CHECK(world.affected("insert into d (id, x, y) values (:id, :x, :y)", *output->find("rows")) == 7);
  CHECK(world.sql("select count(*) from d a join d b on b.id = a.id + 10 and a.x::text is not distinct from b.x::text "
                  "and a.y::text is not distinct from b.y::text") == "7");
}

TEST_CASE("messages that quote data are withheld, details never used", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  world.sql(
      "create function shout(t text) returns int language plpgsql as $$ begin raise notice 'n %', t; raise exception "
      "'e %', t using detail = t, hint = t; end $$");
  struct Row {
    const char* statement;
    const char* sqlstate;
  };
  const Row table[] = {
      {"insert into typed (i) values (:v)", "sqlstate:22P02"},
      {"insert into typed (d) values (cast(:v as text)::numeric)", "sqlstate:22P02"},
      {"insert into typed (i) values (shout(:v))", "sqlstate:P0001"},
  };
  for (const auto& one : table) {
    INFO(one.statement);
    const auto output = world.execute(one.statement, row({{"v", "c4n4ry"}}));
    REQUIRE_FALSE(output);
    INFO(output.error().message);
    CHECK(output.error().error_class() == one.sqlstate);
    CHECK(output.error().message.find("c4n4ry") == std::string::npos);
  }
}

TEST_CASE("a reading step cannot write, whatever it calls", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("create function sneak() returns int language sql as $$ insert into orders (id) values (1) returning 1 $$");
  const auto output = world.run("sql.query@1", args({{"statement", "select sneak() as x"}}));
  REQUIRE_FALSE(output);
  CHECK(output.error().classes == std::vector<std::string>{"sqlstate:25006", "permission"});
  CHECK(world.sql("select count(*) from orders") == "0");
}

TEST_CASE("serialization failures are class transaction", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("insert into orders (id, name) values (1, 'a')");
  world.sql("alter database " + world.database + " set lock_timeout = '200ms'");
  std::thread holder(
      [&] { world.sql("begin; update orders set name = 'held' where id = 1; select pg_sleep(2); rollback"); });
  const auto update = [&](int attempt) {
    world.agent->idempotency_key = fmt::format("attempt-{}", attempt);  // or the ledger knows it
    return world.execute("update orders set name = 'b' where id = 1", row({}));
  };
  auto output = update(0);
  for (int i = 1; i < 500 && output; ++i) {  // until the holder has the row
    std::this_thread::sleep_for(10ms);
    output = update(i);
  }
  holder.join();
  REQUIRE_FALSE(output);
  CHECK(output.error().classes == std::vector<std::string>{"sqlstate:55P03", "transaction"});
}

TEST_CASE("a connection that cannot be made: the step hears its name and class, the agent's log why",
          "[sql][postgres]") {
  auto& server = test::postgres();
  const test::TempDir dir;
  const auto wrong = dir.write("wrong", "c4n4ry-password");
  ::chmod(wrong.c_str(), 0600);
  const auto open = dir.write("open", "c4n4ry-password");
  ::chmod(open.c_str(), 0644);
  struct Row {
    std::string settings, error_class, message, logged;
  };
  const Row table[] = {
      {at(server.port(), wrong), "permission", "the agent was refused", "password authentication failed for user"},
      {at(server.port(), server.password_file(), "postgres", "nowhere"), "not_found", "it is not there", "nowhere"},
      {at(1, server.password_file()), "connection", "it could not be reached", "127.0.0.1"},
      {at(server.port(), dir.path("none")), "not_found", "it is not there", dir.path("none")},
      {at(server.port(), open), "permission", "the agent was refused", "chmod 600"},
      {at(server.port(), server.password_file()) + ", sslmode: require", "connection", "it could not be reached",
       "SSL"},
  };
  for (const auto& one : table) {
    INFO(one.settings);
    Dialled dialled(one.settings);
    const auto error = dialled.error();
    CHECK(error.classes.back() == one.error_class);
    CHECK(error.message == "connecting to db: " + one.message + "; the agent's log says more");
    const auto logged = dialled.agent.logged();
    CHECK(logged.find("\"connection.failed\"") != std::string::npos);
    CHECK(logged.find(one.logged) != std::string::npos);
    CHECK(logged.find("c4n4ry") == std::string::npos);
  }
}

TEST_CASE("the environment decides nothing about a connection", "[sql][postgres]") {
  auto& server = test::postgres();
  ::setenv("PGPASSWORD", test::PostgresServer::password().c_str(), 1);
  const auto without =
      Dialled(fmt::format("host: 127.0.0.1, port: {}, user: postgres, database: postgres", server.port())).error();
  ::unsetenv("PGPASSWORD");
  CHECK(without.classes.back() == "permission");
  for (const char* name : {"PGSERVICE", "PGHOSTADDR"}) {
    ::setenv(name, "elsewhere", 1);
    Dialled dialled(at(server.port(), server.password_file()));
    CHECK(dialled.error().error_class() == "invalid");
    CHECK(dialled.agent.logged().find(name) != std::string::npos);
    ::unsetenv(name);
  }
}

TEST_CASE("a stopped statement does not go on in the server", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  std::thread later([&] {
    std::this_thread::sleep_for(300ms);
    world.agent->stop.request_stop();
  });
  const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
  later.join();
  CHECK(output.error().error_class() == "cancelled");
  const auto deadline = std::chrono::steady_clock::now() + 15s;
  const auto running = [&] {
    return world.sql("select count(*) from pg_stat_activity where query like 'select pg_sleep%'");
  };
  while (running() != "0" && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(100ms);
  CHECK(running() == "0");
}

TEST_CASE("a server that comes back is found again by pooled connections", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  const auto ask = [&] {
    const auto output = world.run("sql.query@1", args({{"statement", "select 1 as one"}}));
    return output ? std::string("none") : output.error().classes.back();
  };
  CHECK(ask() == "none");
  world.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sallyport-agent'");
  CHECK(ask() == "none");
  test::postgres().stop();
  CHECK(ask() == "connection");
  test::postgres().start();
  CHECK(ask() == "none");
}

TEST_CASE("a session cut in the middle of a statement is class connection", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  std::thread killer([&] {
    const auto cut = [&] {
      return world.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> "
          "pg_backend_pid()");
    };
    for (int i = 0; i < 250 && cut().empty(); ++i) std::this_thread::sleep_for(100ms);
  });
  const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
  killer.join();
  REQUIRE_FALSE(output);
  CHECK(output.error().classes.back() == "connection");
}

TEST_CASE("a server that answers nothing more ends the step at its deadline", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  REQUIRE(world.run("sql.query@1", args({{"statement", "select 1 as one"}})));
  world.agent->patience = 500ms;
  test::postgres().pause();
  const auto begin = std::chrono::steady_clock::now();
  const auto output = world.run("sql.query@1", args({{"statement", "select 2 as two"}}));
  const auto took = std::chrono::steady_clock::now() - begin;
  test::postgres().resume();
  REQUIRE_FALSE(output);
  CHECK(output.error().error_class() == "timeout");
  CHECK(took < 30s);
  world.agent->patience = 30s;
  CHECK(world.run("sql.query@1", args({{"statement", "select 3 as three"}})));
}

TEST_CASE("the ledger's table is made once, also by two first runs at the same time", "[sql][postgres][ledger]") {
  test::SqlWorld world(Engine::postgres);
  for (int round = 0; round < 30; ++round) {
    std::array<std::string, 2> errors;
    {
      std::vector<std::jthread> runs;
      for (auto& error : errors)
        runs.emplace_back([&world, &error] {
          const auto run = world.execute("insert into orders (id) values (1) on conflict do nothing", row({}));
          if (!run) error = run.error().message;
        });
    }
    CHECK(errors == std::array<std::string, 2>{});
    CHECK(world.sql("select count(*) from sallyport_effects") == "1");
    world.sql("drop table sallyport_effects");
  }
}

TEST_CASE("a user who may not create the ledger is told what the owner has to run", "[sql][postgres][ledger]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("create role limited login password '" + test::PostgresServer::password() +
            "'; grant insert on orders to limited");
  test::ConnectorSite agent(
      "connections: {db: {kind: sql, driver: postgres, effect_ledger: true, " +
          at(test::postgres().port(), test::postgres().password_file(), "limited", world.database) + "}}",
      "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [insert]}}}");
  const auto actions = sql::make_actions(agent.site());
  const auto insert = args({{"statement", "insert into orders (id) values (1)"}});
  const auto refused = agent.run(*actions.at(1), insert, "db");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().classes.back() == "permission");
  CHECK(refused.error().message.find("create table if not exists sallyport_effects") != std::string::npos);
  world.sql(
      "create table sallyport_effects (key text primary key, at text not null, affected bigint not null); grant "
      "select, insert, update on sallyport_effects to limited");
  CHECK(agent.run(*actions.at(1), insert, "db"));
  world.sql("drop owned by limited; drop role limited");
}

TEST_CASE("a table that changes under a prepared statement is worth a retry", "[sql][postgres]") {
  test::SqlWorld world(Engine::postgres);
  const auto all = args({{"statement", "select * from orders"}});
  REQUIRE(world.run("sql.query@1", all));
  world.sql("alter table orders add extra int");
  const auto first = world.run("sql.query@1", all);
  if (!first) CHECK(first.error().classes.back() == "transaction");
  CHECK(world.run("sql.query@1", all));
}
