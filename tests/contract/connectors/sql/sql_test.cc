// One suite for every database: each case runs on SQLite, on a real PostgreSQL and on a real MariaDB.
#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/sql/sql_actions.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/sql/databases.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;

namespace {

Value list(std::initializer_list<Value> values) { return Value(ValueList(values)); }
Value row(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

constexpr const char* kInsert = "insert into orders (id, name) values (:id, :name)";

}  // namespace

TEST_CASE("rows are read exactly", "[sql]") {
  auto world = test::SqlWorld::every();
  world.sql("insert into orders (id, name) values (9223372036854775807, 'Ä \"x\"'), (2, null)");
  const auto output =
      world.run("sql.query@1", args({{"statement", "select id, name from orders where id > :least order by id desc"},
                                     {"params", row({{"least", 0}})}}));
  if (!output) FAIL(output.error().message);
  CHECK(output->find("count")->as_int() == 2);
  CHECK(to_json(*output->find("list")) == R"([{"id":9223372036854775807,"name":"Ä \"x\""},{"id":2,"name":null}])");
  CHECK(to_json(*output->find("columns")) == R"(["id","name"])");
  CHECK(world.rows_of(*output->find("rows")) ==
        "{\"id\":9223372036854775807,\"name\":\"Ä \\\"x\\\"\"}\n{\"id\":2,\"name\":null}\n");
  CHECK(output->find("batches")->find("batch")->as_int() == 500);
  CHECK(parse_stored_json(to_json(*output)) == *output);
}

TEST_CASE("bytes go from one table into another as they are", "[sql][bytes]") {
  auto world = test::SqlWorld::every();
  const bool postgres = world.engine == test::SqlWorld::Engine::postgres;
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::byte>(i));
  const auto literal = [&](const std::string& digits) {
    return postgres ? "'\\x" + digits + "'" : "x'" + digits + "'";
  };
  const std::string kind = postgres ? "bytea" : "blob";
  world.sql("create table source (id integer, b " + kind + "); create table target (id integer, b " + kind + ")");
  world.sql("insert into source values (1, " + literal("deadbeef") + "), (2, " + literal("") + "), (3, null), (4, " +
            literal(hex(all)) + ")");
  const auto output = world.run("sql.query@1", args({{"statement", "select b, id from source order by id"}}));
  if (!output) FAIL(output.error().message);
  const auto* rows = output->find("list");
  CHECK(rows->as_list()[0].find("b")->as_bytes() == *from_hex("deadbeef"));
  CHECK(rows->as_list()[3].find("b")->as_bytes() == all);
  const auto stored = parse_stored_json(stored_json(*output));  // what a step after a crash sees
  REQUIRE(stored);
  CHECK(*stored == *output);

  const std::string same =
      "select count(*) from source s join target t on s.id = t.id and (s.b = t.b or (s.b is null and t.b is null))";
  const char* insert = "insert into target (id, b) values (:id, :b)";
  CHECK(world.affected(insert, *stored->find("rows")) == 4);
  CHECK(world.sql(same) == "4");
  CHECK(world.affected(insert, *stored->find("list")) == 4);
  CHECK(world.sql(same) == "8");
  CHECK(world.affected("update target set b = :b where id = :id", rows->as_list()[0]) == 2);
  CHECK(world.sql("select distinct b = " + literal("deadbeef") + " from target where id = 1") ==
        (postgres ? "t" : "1"));
  CHECK(world.affected("delete from target where b = :b", rows->as_list()[3]) == 2);
}

TEST_CASE("rows know their columns in order, also when there are none", "[sql]") {
  auto world = test::SqlWorld::every();
  for (const char* statement : {"select 1 as z, 2 as a, 3 as m", "select 1 as z, 2 as a, 3 as m where 1 = 0"}) {
    const auto output = world.run("sql.query@1", args({{"statement", statement}}));
    if (!output) FAIL(output.error().message);
    const auto rows = world.agent->bodies.open_rows(output->find("rows")->as_handle());
    REQUIRE(rows);
    CHECK((*rows)->columns() == std::vector<std::string>{"z", "a", "m"});
    CHECK(to_json(*output->find("columns")) == R"(["z","a","m"])");
  }
  const auto twice = world.run("sql.query@1", args({{"statement", "select 1 as a, 2 as a"}}));
  CHECK(twice.error().message.find("two columns are named \"a\"") != std::string::npos);
  const auto reserved = world.run("sql.query@1", args({{"statement", "select 1 as \"$bytes\""}}));
  CHECK(reserved.error().message.find("must not be named $bytes") != std::string::npos);
}

TEST_CASE("few rows with many columns leave the step room for the rest of its output", "[sql]") {
  auto world = test::SqlWorld::every();
  const auto run = [&](int columns) {
    std::string text = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select i";
    for (int i = 0; i < columns; ++i) text += ", null as a_column_with_a_long_name_" + std::to_string(i);
    const auto output = world.run("sql.query@1", args({{"statement", text + " from n"}}));
    if (!output) FAIL(output.error().message);
    CHECK(output->find("count")->as_int() == 100);
    CHECK(stored_json(*output).size() < 256u << 10);
    return output->find("list")->is_null();
  };
  CHECK_FALSE(run(20));
  CHECK(run(80));
}

TEST_CASE("a large result streams into the spool", "[sql]") {
  auto world = test::SqlWorld::any();
  const auto output = world.run("sql.query@1", args({{"statement",
                                                      "with recursive n(i) as (select 1 union all select i + 1 from n "
                                                      "where i < 20000) select i, 'some text' as t from n"}}));
  if (!output) FAIL(output.error().message);
  CHECK(output->find("count")->as_int() == 20'000);
  CHECK(output->find("list")->is_null());
  const auto text = world.rows_of(*output->find("rows"));
  CHECK(std::ranges::count(text, '\n') == 20'000);
  CHECK(text.ends_with("{\"i\":20000,\"t\":\"some text\"}\n"));
}

TEST_CASE("limits on rows and bytes are errors, not cuts", "[sql]") {
  auto world = test::SqlWorld::every();
  const auto rows = [&](int count, ValueMap more) {
    more.emplace(Value("statement"), Value("with recursive n(i) as (select 1 union all select i + 1 from n where i < " +
                                           std::to_string(count) + ") select i from n"));
    const auto output = world.run("sql.query@1", std::move(more));
    return output ? std::string("none") : output.error().error_class() + ": " + output.error().message;
  };
  CHECK(rows(10, args({{"max_rows", 10}})) == "none");
  CHECK(rows(11, args({{"max_rows", 10}})) == "too_large: more than 10 rows, the limit of the step (max_rows)");
  CHECK(rows(50'001, {}) == "too_large: more than 50000 rows, the limit of the local policy (limits.rows)");
  CHECK(rows(50'001, args({{"max_rows", 1'000'000}})).starts_with("too_large: "));
  CHECK(rows(3, {}) == "none");  // the connection is fine afterwards
}

TEST_CASE("one statement changes data and tells how many rows", "[sql]") {
  auto world = test::SqlWorld::every();
  CHECK(world.affected(kInsert, row({{"id", 1}, {"name", "one"}})) == 1);
  CHECK(world.affected(kInsert, list({row({{"id", 2}, {"name", "two"}, {"extra", "column"}}),
                                      row({{"id", 3}, {"name", Value()}})})) == 2);
  CHECK(world.affected("update orders set name = 'x' where id >= :id", row({{"id", 2}})) == 2);
  CHECK(world.affected("delete from orders where id = :id", row({{"id", 99}})) == 0);
  const bool counts_twice = world.engine == test::SqlWorld::Engine::mariadb;  // a row that was there: as MySQL does
  CHECK(world.affected(world.upsert(), list({row({{"id", 1}, {"name", "new"}})})) == (counts_twice ? 2 : 1));
  CHECK(world.sql("select id, name from orders order by id") == "1|new\n2|x\n3|x");
  CHECK(world.affected(kInsert, list({})) == 0);
}

TEST_CASE("text from a CSV lands in typed columns", "[sql]") {
  auto world = test::SqlWorld::every();
  CHECK(world.affected("insert into typed (i, d, t) values (:i, :d, :t)",
                       list({row({{"i", "42"}, {"d", "12.50"}, {"t", "=cmd"}}),
                             row({{"i", "-1"}, {"d", Value()}, {"t", ""}})})) == 2);
  const auto output = world.run("sql.query@1", args({{"statement", "select i, t from typed order by i"}}));
  CHECK(to_json(*output->find("list")) == R"([{"i":-1,"t":""},{"i":42,"t":"=cmd"}])");
}

TEST_CASE("data that looks like SQL stays data", "[sql]") {
  auto world = test::SqlWorld::every();
  const std::string hostile = "x'); drop table orders; --";
  CHECK(world.affected(kInsert, row({{"id", 1}, {"name", hostile}})) == 1);
  CHECK(world.sql("select name from orders") == hostile);
}

TEST_CASE("sets of parameters are all written or none", "[sql]") {
  auto world = test::SqlWorld::every();
  const auto output =
      world.execute(kInsert, list({row({{"id", 1}, {"name", "a"}}), row({{"id", 1}, {"name", "c4n4ry"}})}));
  REQUIRE_FALSE(output);
  CHECK(output.error().classes == std::vector<std::string>{"sqlstate:23505", "constraint"});
  CHECK(output.error().message.find("set of parameters number 2") != std::string::npos);
  CHECK(output.error().message.find("c4n4ry") == std::string::npos);
  CHECK(world.sql("select count(*) from orders") == "0");
  const auto missing = world.execute(kInsert, list({row({{"id", 1}, {"name", "a"}}), row({{"id", 2}})}));
  CHECK(missing.error().message == "the parameter :name has no value (set of parameters number 2)");
  CHECK(world.sql("select count(*) from orders") == "0");
}

TEST_CASE("rows of a handle are written in one transaction", "[sql]") {
  auto world = test::SqlWorld::every();
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "{\"id\":" + std::to_string(i) + ",\"name\":\"n\"}\n";
  const Value rows(Handle{"rows", args({{"format", "ndjson"}, {"source", Value(world.agent->bodies.put(lines))}})});
  CHECK(world.affected(kInsert, rows) == 2000);
  const Value broken(
      Handle{"rows", args({{"format", "ndjson"},
                           {"source", Value(world.agent->bodies.put("{\"id\":5000,\"name\":\"n\"}\n{broken"))}})});
  CHECK(world.execute(kInsert, broken).error().error_class() == "format");
  CHECK(world.sql("select count(*) from orders") == "2000");
}

TEST_CASE("several statements take effect together", "[sql]") {
  auto world = test::SqlWorld::every();
  const auto run = [&](const char* second) {
    return world.run(
        "sql.transaction@1",
        args({{"statements",
               list({row({{"statement", kInsert},
                          {"params", list({row({{"id", 1}, {"name", "a"}}), row({{"id", 2}, {"name", "b"}})})}}),
                     row({{"statement", second}})})}}));
  };
  const auto failed = run("insert into orders (id, name) values (1, 'again')");
  CHECK(failed.error().classes.back() == "constraint");
  CHECK(failed.error().message.starts_with("statement 2: "));
  CHECK(world.sql("select count(*) from orders") == "0");
  const auto refused = run("drop table orders");
  CHECK(refused.error().error_class() == "policy");
  CHECK(refused.error().message.starts_with("statement 2: "));
  const auto done = run("update orders set name = 'c'");
  REQUIRE(done);
  CHECK(done->find("affected")->as_int() == 4);
  CHECK(world.sql("select id, name from orders order by id") == "1|c\n2|c");
}

TEST_CASE("errors have classes and never data", "[sql]") {
  auto world = test::SqlWorld::every();
  world.sql("insert into orders (id, name) values (1, 'one')");
  const auto error = [&](const char* statement, Value params) {
    const auto output = world.execute(statement, std::move(params));
    REQUIRE_FALSE(output);
    CHECK(output.error().message.find("c4n4ry") == std::string::npos);
    return output.error().classes.front() + " " + output.error().classes.back();
  };
  CHECK(error(kInsert, row({{"id", 1}, {"name", "c4n4ry"}})) == "sqlstate:23505 constraint");
  CHECK(error("insert into items (order_id, note) values (:id, :note)", row({{"id", 99}, {"note", "c4n4ry"}})) ==
        "sqlstate:23503 constraint");
  CHECK(error("insert into items (order_id, note) values (1, :note)", row({{"note", Value()}})) ==
        "sqlstate:23502 constraint");
  CHECK(error("insert into items (order_id, note, amount) values (1, :note, -1)", row({{"note", "c4n4ry"}})) ==
        "sqlstate:23514 constraint");
  CHECK(error("insert into nowhere values (:a)", row({{"a", "c4n4ry"}})).ends_with("invalid"));
  CHECK(error("insert into orders (id, nam) values (1, :a)", row({{"a", "c4n4ry"}})).ends_with("invalid"));
  CHECK(error("insert insert", row({})).ends_with("invalid"));
  CHECK(world.affected(kInsert, row({{"id", 2}, {"name", "fine"}})) == 1);
}

TEST_CASE("what the policy does not name is refused with the rule", "[sql]") {
  auto world = test::SqlWorld::every();
  for (const char* statement :
       {"drop table orders", "create table x (i int)", "insert into orders select 1; delete from orders",
        "merge into orders using items on true when matched then delete"}) {
    INFO(statement);
    const auto refused = world.execute(statement, row({}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error_class() == "policy");
    CHECK(refused.error().rule == "policy.yaml:4 connections.db.sql.verbs");
  }
  CHECK(world.run("sql.query@1", args({{"statement", "update orders set name = 'x'"}})).error().error_class() ==
        "invalid");
  CHECK(world.run("sql.query@1", args({{"statement", "select i.id as a, o.id as a from orders i, orders o"}}))
            .error()
            .message.find("two columns") != std::string::npos);
  CHECK(world.agent->run(*world.actions["sql.query@1"], args({{"statement", "select 1"}}), "other")
            .error()
            .error_class() == "policy");
}

TEST_CASE("the deadline ends a statement in the server", "[sql]") {
  auto world = test::SqlWorld::every();
  REQUIRE(world.run("sql.query@1", args({{"statement", "select 1 as one"}})));  // the connection is there
  world.agent->patience = 300ms;
  const auto begin = std::chrono::steady_clock::now();
  const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
  REQUIRE_FALSE(output);
  CHECK(output.error().error_class() == "timeout");
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
  world.agent->patience = 30s;
  CHECK(world.run("sql.query@1", args({{"statement", "select 1 as one"}})));
}

TEST_CASE("a stop ends a statement in the server", "[sql]") {
  auto world = test::SqlWorld::every();
  std::thread later([&] {
    std::this_thread::sleep_for(200ms);
    world.agent->stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
  later.join();
  REQUIRE_FALSE(output);
  CHECK(output.error().error_class() == "cancelled");
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
  world.agent->stop = {};
  CHECK(world.run("sql.query@1", args({{"statement", "select 1 as one"}})));
}

TEST_CASE("the pool bounds connections and waits no longer than the step", "[sql]") {
  auto world = test::SqlWorld::every();  // pool: 2
  std::vector<std::thread> holders;
  std::stop_source stop;
  world.agent->patience = 60s;
  world.agent->stop = stop;
  std::atomic<int> cancelled{0};
  for (int i = 0; i < 2; ++i) {
    holders.emplace_back([&] {
      const auto output = world.run("sql.query@1", args({{"statement", world.endless()}}));
      cancelled += !output && output.error().error_class() == "cancelled";
    });
  }
  const auto ask = [&] {
    const connectors::StepContext context{
        world.agent->job, "waiting", 1, "k", "db", std::chrono::steady_clock::now() + 300ms, {}, world.agent->bodies};
    return world.actions["sql.query@1"]->run(context, Value(args({{"statement", "select 1 as one"}})));
  };
  auto waiting = ask();  // succeeds until both holders have their connection
  for (int i = 0; i < 200 && waiting; ++i, waiting = ask()) std::this_thread::sleep_for(10ms);
  REQUIRE_FALSE(waiting);
  CHECK(waiting.error().error_class() == "timeout");
  CHECK(waiting.error().message.find("`pool` in connections.yaml") != std::string::npos);
  stop.request_stop();
  for (auto& holder : holders) holder.join();
  CHECK(cancelled == 2);
}

TEST_CASE("a step run again with its key has one effect and the same output", "[sql][ledger]") {
  auto world = test::SqlWorld::every();
  const char* add = "insert into items (order_id, note) values (null, :note)";
  world.agent->idempotency_key = "job_1/add/1";
  CHECK(world.affected(add, list({row({{"note", "a"}}), row({{"note", "b"}})})) == 2);
  CHECK(world.affected(add, list({row({{"note", "a"}}), row({{"note", "b"}})})) == 2);
  CHECK(world.sql("select count(*) from items") == "2");
  world.agent->idempotency_key = "job_1/add/2";
  CHECK(world.affected(add, row({{"note", "c"}})) == 1);
  CHECK(world.sql("select count(*) from items") == "3");
  CHECK(world.sql(fmt::format("select {0}, affected from sallyport_effects order by {0}", world.key())) ==
        "job_1/add/1|2\njob_1/add/2|1");
  CHECK(world.actions["sql.execute@1"]->keeps_ledger("db", Value(args({{"statement", add}}))));
}

TEST_CASE("a failed run leaves no mark, so that it can be tried again", "[sql][ledger]") {
  auto world = test::SqlWorld::every();
  world.sql("insert into orders (id, name) values (1, 'one')");
  CHECK_FALSE(world.execute(kInsert, row({{"id", 1}, {"name", "x"}})));
  world.sql("delete from orders");
  CHECK(world.affected(kInsert, row({{"id", 1}, {"name", "x"}})) == 1);
}

TEST_CASE("without exactly_once every run has its effect", "[sql][ledger]") {
  auto world = test::SqlWorld::every();
  const auto add =
      args({{"statement", "insert into items (order_id, note) values (null, 'x')"}, {"exactly_once", false}});
  CHECK(world.run("sql.execute@1", add));
  CHECK(world.run("sql.execute@1", add));
  CHECK(world.sql("select count(*) from items") == "2");
  CHECK_FALSE(world.actions["sql.execute@1"]->keeps_ledger("db", Value(add)));
  CHECK_FALSE(world.actions["sql.execute@1"]->keeps_ledger("other", Value(args({}))));
}

TEST_CASE("the same step run twice at the same time has one effect", "[sql][ledger]") {
  auto world = test::SqlWorld::every();
  for (int round = 0; round < 5; ++round) {
    world.agent->idempotency_key = "round " + std::to_string(round);
    std::atomic<int> succeeded{0};
    std::vector<std::thread> runs;
    for (int i = 0; i < 2; ++i) {
      runs.emplace_back([&] {
        succeeded += world.execute("insert into items (order_id, note) values (null, 'x')", row({})).has_value();
      });
    }
    for (auto& run : runs) run.join();
    CHECK(succeeded == 2);
    CHECK(world.sql("select count(*) from items") == std::to_string(round + 1));
  }
}
