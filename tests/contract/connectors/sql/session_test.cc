// What one step leaves in its session, what only selects, and commits that are not answered.
#include "agent/connectors/sql/sql_actions.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/sql/databases.h"
#include "tests/support/failing_vfs.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;
using Engine = test::SqlWorld::Engine;
using Way = test::SqlWorld::Way;

namespace {

Value row(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

std::string ask(test::SqlWorld& world, const char* statement) {
  const auto output = world.run("sql.query@1", args({{"statement", statement}}));
  return output ? to_json(*output->find("list")) : output.error().message;
}

StepResult<Value> transaction(test::SqlWorld& world, std::initializer_list<const char*> statements) {
  ValueList list;
  for (const auto* text : statements) list.push_back(row({{"statement", text}}));
  return world.run("sql.transaction@1", args({{"statements", Value(std::move(list))}}));
}

// Every commit that changes `orders` takes long enough to be disturbed.
void make_commits_slow(test::SqlWorld& world) {
  world.sql(
      "create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$; "
      "create constraint trigger slow after insert on orders deferrable initially deferred for each row execute "
      "function dawdle()");
}

void wait_for_commit(test::SqlWorld& world) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (world.sql("select count(*) from pg_stat_activity where lower(query) = 'commit' and state = 'active'") == "0" &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(20ms);
  }
}

// Not the same row twice: what is in doubt may have happened.
ValueMap insert_one(bool exactly_once) {
  return args(
      {{"statement", exactly_once ? "insert into orders (id) values (2)" : "insert into orders (id) values (1)"},
       {"exactly_once", exactly_once}});
}

}  // namespace

TEST_CASE("no step sees what another has left in its session", "[sql][postgres][session]") {
  test::SqlWorld world(Engine::postgres);
  for (int i = 0; i < 2; ++i) {
    CHECK(
        world.execute("select set_config('standard_conforming_strings', 'off', false), set_config('search_path', "
                      "'elsewhere', false), set_config('my.note', 'left', false), pg_advisory_lock(7)",
                      row({})));
    CHECK(ask(world,
              "select current_setting('standard_conforming_strings') as s, current_setting('search_path') as p, "
              "coalesce(current_setting('my.note', true), '') as n, current_setting('timezone') as z") ==
          R"([{"n":"","p":"\"$user\", public","s":"on","z":"UTC"}])");
    CHECK(ask(world, "select count(*) as locks from pg_locks where locktype = 'advisory'") == R"([{"locks":0}])");
    CHECK(ask(world, "select count(*) as left from pg_prepared_statements where from_sql") == R"([{"left":0}])");
  }
}

TEST_CASE("a temporary table hides nothing from the next step", "[sql][session]") {
  auto world = test::SqlWorld::any();
  world.sql("insert into orders (id, name) values (1, 'one')");
  const auto site = world.agent->site();
  const auto policy = policy::parse_policy(
      "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [select, insert, ddl]}}}", "policy.yaml", "/");
  REQUIRE(policy);
  const auto actions = sql::make_actions({site.connections, *policy, site.vault, site.clock, site.log});
  for (int i = 0; i < 2; ++i) {
    const auto made = world.agent->run(
        *actions.at(1), args({{"statement", "create temporary table orders (id int)"}, {"exactly_once", false}}), "db");
    if (!made) FAIL(made.error().message);
    const auto seen = world.agent->run(*actions.at(0), args({{"statement", "select count(*) as n from orders"}}), "db");
    REQUIRE(seen);
    CHECK(to_json(*seen->find("list")) == R"([{"n":1}])");
  }
}

TEST_CASE("a statement cannot change how the next one is read", "[sql][postgres][session]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("insert into orders (id) values (1)");
  for (const char* setting : {"'standard_conforming_strings', 'off'", "'client_encoding', 'SJIS'"}) {
    INFO(setting);
    const auto first = fmt::format("select set_config({}, true)", setting);
    const auto done = transaction(world, {first.c_str(), "insert into orders (id) values (2)"});
    REQUIRE_FALSE(done);
    CHECK(done.error().message.find("no statement may change it") != std::string::npos);
    CHECK(world.sql("select count(*) from orders") == "1");
  }
  CHECK(transaction(world, {"select 1", "insert into orders (id) values (2)"}));
}

TEST_CASE("what only selects runs read only, and leaves no key", "[sql][session]") {
  auto world = test::SqlWorld::any();
  world.sql("insert into orders (id, name) values (1, 'one')");
  CHECK(world.execute("select id from orders", row({})));
  CHECK(transaction(world, {"select 1", "select 2"}));
  if (world.engine != Engine::postgres) return;
  CHECK(world.sql("select to_regclass('sallyport_effects') is null") == "t");
  world.sql(
      "create sequence numbers; create function sneak() returns int language sql as $$ insert into orders (id) values "
      "(9) returning 1 $$");
  for (const char* statement : {"select sneak()", "select nextval('numbers')", "with x as (values (sneak())) table x",
                                "select set_config('transaction_read_only', 'off', true), sneak()"}) {
    INFO(statement);
    CHECK_FALSE(world.execute(statement, row({})));
    CHECK_FALSE(transaction(world, {"select set_config('transaction_read_only', 'off', true)", statement}));
  }
  CHECK(world.sql("select count(*) from orders") == "1");
}

TEST_CASE("a step that moves the ledger fails and changes nothing", "[sql][postgres][ledger]") {
  test::SqlWorld world(Engine::postgres);
  world.sql("create schema elsewhere; create table elsewhere.sallyport_effects (key text, at text, affected bigint)");
  const auto done = transaction(
      world, {"insert into public.orders (id) values (1)", "select set_config('search_path', 'elsewhere', true)"});
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("have moved or changed sallyport_effects") != std::string::npos);
  CHECK(world.sql("select count(*) from orders") == "0");
}

TEST_CASE("a session that ends during its commit is in doubt, and a ledger tells the next run",
          "[sql][postgres][doubt]") {
  test::SqlWorld world(Engine::postgres, GENERATE(Way::native, Way::odbc));
  make_commits_slow(world);
  for (const bool ledger : {false, true}) {
    INFO("ledger " << ledger);
    std::thread killer([&] {
      wait_for_commit(world);
      world.sql("select pg_terminate_backend(pid) from pg_stat_activity where lower(query) = 'commit'");
    });
    const auto output = world.run("sql.execute@1", insert_one(ledger));
    killer.join();
    REQUIRE_FALSE(output);
    using Classes = std::vector<std::string>;
    CHECK(output.error().classes == (ledger ? Classes{"in_doubt", "connection"} : Classes{"in_doubt"}));
  }
}

TEST_CASE("a commit that is not answered in time is in doubt", "[sql][postgres][doubt]") {
  test::SqlWorld world(Engine::postgres, GENERATE(Way::native, Way::odbc));
  make_commits_slow(world);
  for (const bool ledger : {false, true}) {
    if (world.way == Way::odbc && !ledger) continue;
    INFO("ledger " << ledger);
    world.agent->patience = 2500ms;
    std::thread pauser([&] {
      wait_for_commit(world);
      test::postgres().pause();
    });
    const auto output = world.run("sql.execute@1", insert_one(ledger));
    pauser.join();
    test::postgres().resume();
    REQUIRE_FALSE(output);
    using Classes = std::vector<std::string>;
    CHECK(output.error().classes == (ledger ? Classes{"in_doubt", "timeout"} : Classes{"in_doubt"}));
  }
}

TEST_CASE("a commit that the server refuses is not in doubt", "[sql][postgres][doubt]") {
  test::SqlWorld world(Engine::postgres, GENERATE(Way::native, Way::odbc));
  world.sql("alter table items alter constraint items_order_id_fkey deferrable initially deferred");
  const auto output =
      world.run("sql.execute@1",
                args({{"statement", "insert into items (order_id, note) values (9, 'x')"}, {"exactly_once", false}}));
  REQUIRE_FALSE(output);
  CHECK(output.error().classes == std::vector<std::string>{"sqlstate:23503", "constraint"});
}

TEST_CASE("an input/output error of SQLite's commit is in doubt, a full disk is not", "[sql][sqlite][doubt]") {
  test::FailingVfs disk;
  sqlite3_vfs_register(sqlite3_vfs_find(disk.name().c_str()), 1);
  test::SqlWorld world(Engine::sqlite);
  int doubts = 0, refusals = 0;
  for (const auto kind : {test::FailingVfs::Kind::io_error, test::FailingVfs::Kind::full_disk}) {
    for (std::uint64_t operation = 1;; ++operation) {
      INFO("operation " << operation);
      disk.fail_at(operation, kind);
      const auto output = world.run(
          "sql.execute@1", args({{"statement", "insert into orders (name) values ('x')"}, {"exactly_once", false}}));
      const bool failed = disk.has_failed();
      disk.heal();
      if (!failed) break;
      if (output) continue;
      const auto& classes = output.error().classes;
      doubts += classes == std::vector<std::string>{"in_doubt"} ? 1 : 0;
      refusals += classes == std::vector<std::string>{"disk_full"} ? 1 : 0;
      CHECK((classes.size() == 1 &&
             (classes[0] == "in_doubt" || classes[0] == "disk_full" || classes[0] == "connection")));
      CHECK((kind == test::FailingVfs::Kind::full_disk) == (classes[0] == "disk_full"));
    }
  }
  CHECK(doubts > 0);
  CHECK(refusals > 0);
}
