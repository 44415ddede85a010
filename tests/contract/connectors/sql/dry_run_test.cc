// Dry runs on real servers: what was done is looked for by another connection.
#include "agent/connectors/sql/sql_actions.h"
#include "tests/contract/connectors/sql/databases.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <chrono>
#include <future>
#include <sstream>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;
using Engine = test::SqlWorld::Engine;
using Way = test::SqlWorld::Way;

namespace {

constexpr auto kInsert = "insert into orders (id, name) values (:id, :name)";

Value order(int id, const char* name) { return Value(args({{"id", id}, {"name", name}})); }
Value orders(int first, int last) {
  ValueList rows;
  for (int id = first; id <= last; ++id) rows.push_back(order(id, "planned"));
  return Value(std::move(rows));
}
Value statement(const char* text, Value params) {
  return Value(args({{"statement", text}, {"params", std::move(params)}}));
}

StepResult<Output> dry(test::SqlWorld& world, std::string_view action, ValueMap arguments) {
  return world.agent->dry_run(*world.actions.find(action)->second, std::move(arguments), "db");
}

std::int64_t affected(const StepResult<Output>& output) {
  REQUIRE(output);
  REQUIRE(output->plan == Plan::rolled_back);
  return output->value.find("affected")->as_int();
}

std::string all_orders(test::SqlWorld& world) { return world.sql("select id, name from orders order by id"); }

// Other cases leave some on the server, whose user sees them all.
void drop_loose_tables(test::SqlWorld& world) {
  if (world.engine != Engine::mariadb) return;
  std::istringstream drops(
      world.sql("select concat('drop table ', table_schema, '.', table_name) from information_schema.tables where "
                "table_schema like 'test%' and engine in ('MyISAM', 'Aria', 'MEMORY')"));
  for (std::string drop; std::getline(drops, drop);) world.sql(drop);
}

test::SqlWorld with_one_order(std::string_view verbs = test::SqlWorld::kVerbs) {
  auto world = test::SqlWorld::every(test::SqlWorld::kMostRows, verbs);
  drop_loose_tables(world);
  world.sql("insert into orders (id, name) values (1, 'one')");
  return world;
}

}  // namespace

TEST_CASE("what a dry run changes in a database is counted and undone", "[sql][dry]") {
  auto world = with_one_order();
  const auto before = all_orders(world);
  REQUIRE(before.contains("one"));
  CHECK(affected(dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", order(2, "two")}}))) == 1);
  CHECK(affected(dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", orders(2, 9)}}))) == 8);
  CHECK(affected(dry(world, "sql.execute@1", args({{"statement", "delete from orders"}}))) == 1);
  const auto several = Value(ValueList{statement(kInsert, order(2, "two")),
                                       statement("update orders set name = :to", Value(args({{"to", "changed"}})))});
  CHECK(affected(dry(world, "sql.transaction@1", args({{"statements", several}}))) == 3);
  const auto batch =
      dry(world, "sql.batch@1", args({{"statement", kInsert}, {"rows", orders(2, 1'200)}, {"commit_every", 100}}));
  CHECK(affected(batch) == 1'199);
  CHECK(batch->value.find("rows")->as_int() == 1'199);
  CHECK(all_orders(world) == before);

  // Positive control: a real run of the same is there.
  CHECK(world.affected(kInsert, order(2, "two")) == 1);
  CHECK(all_orders(world) != before);
}

TEST_CASE("a dry run leaves no key in the effect ledger, nor its table", "[sql][dry]") {
  auto world = test::SqlWorld::any();
  drop_loose_tables(world);
  const auto count = [&] { return world.sql("select count(*) from sallyport_effects"); };
  CHECK(affected(dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", order(1, "one")}}))) == 1);
  CHECK(world.affected(kInsert, order(1, "one")) == 1);  // which is not taken for a repetition of the dry one
  const auto after_one = count();
  world.agent->idempotency_key = "key-2";
  CHECK(affected(dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", order(2, "two")}}))) == 1);
  CHECK(count() == after_one);
}

TEST_CASE("a dry run says what a real one would fail with, and undoes what was before it", "[sql][dry]") {
  auto world = with_one_order();
  const auto before = all_orders(world);
  const auto several =
      Value(ValueList{statement(kInsert, order(2, "two")), statement(kInsert, order(1, "another one"))});
  const auto failed = dry(world, "sql.transaction@1", args({{"statements", several}}));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().classes.back() == "constraint");
  CHECK(failed.error().message.contains("statement 2"));
  CHECK(all_orders(world) == before);
}

TEST_CASE("no statement of a dry run ends its transaction", "[sql][dry]") {
  auto world = with_one_order();
  const auto before = all_orders(world);
  for (const std::string text :
       {"insert into orders (id, name) values (66, 'x'); commit", "commit",
        "insert into orders (id, name) values (66, 'x'); commit; begin", "begin", "rollback", "start transaction",
        "set autocommit = 1", "end", "savepoint s", "insert into orders (id, name) values (66, 'x') /*! ; commit */"}) {
    INFO(text);
    const bool is_comment = text.contains("/*") && world.engine != Engine::mariadb && world.way == Way::native;
    CHECK(dry(world, "sql.execute@1", args({{"statement", Value(text)}})).has_value() == is_comment);
    const auto several =
        Value(ValueList{statement(kInsert, order(67, "x")), Value(args({{"statement", Value(text)}}))});
    CHECK(dry(world, "sql.transaction@1", args({{"statements", several}})).has_value() == is_comment);
    CHECK(all_orders(world) == before);
  }
}

TEST_CASE("tables made in a dry run are gone, or not made where the server would commit", "[sql][dry]") {
  auto world = with_one_order("select, insert, update, delete, ddl");
  const auto before = all_orders(world);
  const auto made =
      dry(world, "sql.execute@1", args({{"statement", "create table made_dry (a integer)"}, {"exactly_once", false}}));
  REQUIRE(made);
  const bool commits = world.engine == Engine::mariadb || world.way == Way::odbc;
  CHECK(made->plan == (commits ? Plan::planned : Plan::rolled_back));
  if (commits) CHECK(made->remark.contains("commits ddl by itself"));
  const auto dropped = dry(world, "sql.execute@1", args({{"statement", "drop table typed"}, {"exactly_once", false}}));
  REQUIRE(dropped);
  CHECK(dropped->plan == made->plan);
  CHECK(world.sql("select count(*) from typed").starts_with("0"));
  CHECK(all_orders(world) == before);
  CHECK_FALSE(world.execute("insert into made_dry (a) values (1)", Value(ValueMap{})));
}

TEST_CASE("a dry run changes nothing where tables without transactions are in reach", "[sql][dry]") {
  test::SqlWorld world(Engine::mariadb, GENERATE(Way::native, Way::odbc));
  drop_loose_tables(world);
  world.sql(GENERATE("create table loose (id integer primary key) engine = MyISAM",
                     "create table loose (id integer primary key) engine = Aria with system versioning"));
  // The statement names another table, whose trigger reaches the one that nothing undoes.
  world.sql("create trigger reach after insert on orders for each row insert into loose values (new.id)");
  const auto planned = dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", order(5, "five")}}));
  REQUIRE(planned);
  CHECK(planned->plan == Plan::planned);
  CHECK(planned->remark.contains("tables without transactions"));
  const auto batch = dry(world, "sql.batch@1", args({{"statement", kInsert}, {"rows", orders(2, 9)}}));
  REQUIRE(batch);
  CHECK(batch->plan == Plan::planned);
  CHECK(world.sql("select count(*) from loose").starts_with("0"));
  world.sql("drop trigger reach");
  world.sql("drop table loose");
  CHECK(affected(dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", order(5, "five")}}))) == 1);
}

TEST_CASE("a dry run changes nothing where foreign tables of unknown wrappers are in reach", "[sql][dry]") {
  test::SqlWorld world(Engine::postgres, GENERATE(Way::native, Way::odbc));
  const auto insert = [&] {
    return dry(world, "sql.execute@1", args({{"statement", kInsert}, {"params", order(5, "five")}}));
  };
  world.sql(
      "create extension file_fdw; create server files foreign data wrapper file_fdw; create foreign table readable "
      "(line text) server files options (filename '/nonexistent'); create extension postgres_fdw; create server near "
      "foreign data wrapper postgres_fdw; create foreign table undoable (id bigint) server near");
  CHECK(affected(insert()) == 1);
  world.sql(
      "create foreign data wrapper unknown handler postgres_fdw_handler validator postgres_fdw_validator; create "
      "server far foreign data wrapper unknown; create foreign table elsewhere (id bigint) server far");
  const auto planned = insert();
  REQUIRE(planned);
  CHECK(planned->plan == Plan::planned);
  CHECK(planned->remark.contains("foreign tables"));
}

TEST_CASE("a dry run asks the driver what is behind ODBC when the settings do not say", "[sql][dry][odbc]") {
  test::SqlWorld world(Engine::mariadb);
  drop_loose_tables(world);
  test::ConnectorSite agent(
      fmt::format("connections: {{db: {{kind: sql, driver: odbc, odbc_driver: MariaDB Unicode, attributes: {{Server: "
                  "127.0.0.1, Port: \"{}\", Database: {}}}, user: agent, password_file: \"{}\"}}}}",
                  test::mariadb().port(), world.database, test::mariadb().password_file()),
      "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [insert]}}}");
  const auto actions = connectors::sql::make_actions(agent.site());
  const auto insert = [&] {
    return agent.dry_run(*actions.at(1), args({{"statement", "insert into orders (id) values (5)"}}), "db");
  };
  world.sql("create table loose (id integer primary key) engine = MyISAM");
  world.sql("create trigger reach after insert on orders for each row insert into loose values (new.id)");
  const auto planned = insert();
  REQUIRE(planned);
  CHECK(planned->plan == Plan::planned);
  CHECK(planned->remark.contains("tables without transactions"));
  CHECK(world.sql("select count(*) from loose") == "0");
  world.sql("drop trigger reach");
  world.sql("drop table loose");
  CHECK(affected(insert()) == 1);
  CHECK(all_orders(world).empty());
}

TEST_CASE("a query of a dry run gives its rows", "[sql][dry]") {
  auto world = with_one_order();
  const auto output = dry(world, "sql.query@1", args({{"statement", "select id, name from orders"}}));
  REQUIRE(output);
  CHECK(output->plan == Plan::ran);
  CHECK(world.rows_of(*output->value.find("rows")).contains("one"));
  CHECK_FALSE(dry(world, "sql.query@1", args({{"statement", "delete from orders"}})));
}

TEST_CASE("a query of a dry run undoes what a function did", "[sql][dry]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("create table over ()");
  auto heard = std::async(std::launch::async, [&] {
    return world.sql(
        "listen c; do 'begin for i in 1..3000 loop exit when exists (select from over); perform pg_sleep(0.02); end "
        "loop; end'; select 'end'");
  });
  const auto listens = [&] {
    const auto found =
        world.run("sql.query@1", args({{"statement",
                                        "select pid from pg_stat_activity where query like 'do %' and datname = "
                                        "current_database()"}}));
    return found && found->find("count")->as_int() == 1;
  };
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!listens() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(20ms);
  const auto notify = [](const char* what) {
    return args({{"statement", "select pg_notify('c', :what)"}, {"params", Value(args({{"what", what}}))}});
  };
  const auto output = dry(world, "sql.query@1", notify("planned"));
  const auto real = world.run("sql.query@1", notify("done"));
  world.sql("insert into over default values");
  const auto told = heard.get();
  REQUIRE(output);
  CHECK(output->plan == Plan::ran);
  REQUIRE(real);
  INFO(told);
  CHECK(told.contains("payload \"done\""));  // positive control
  CHECK_FALSE(told.contains("planned"));
}
