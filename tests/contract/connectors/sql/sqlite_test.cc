// What only SQLite has: a file, its lock, and the authorizer behind the check of verbs.
#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/sql_actions.h"
#include "tests/contract/connectors/sql/databases.h"

#include <sqlite3.h>
#include <catch2/catch.hpp>

#include <filesystem>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using policy::SqlVerb;
using test::args;
using Engine = test::SqlWorld::Engine;

namespace {

sql::CallLimits soon() { return {std::chrono::steady_clock::now() + 20s, {}}; }

// Runs a statement past the check of verbs, as if the tokenizer had missed what it does.
std::string unchecked(const std::string& file, policy::SqlVerbs verbs, const std::string& text) {
  const auto database = sql::make_sqlite({file}, verbs);
  auto connection = database->connect(soon());
  REQUIRE(connection);
  REQUIRE((*connection)->begin(sql::Access::read_write, soon()));
  sql::DroppedRows dropped;
  const auto done = (*connection)->execute(sql::Statement{text, {}}, {}, dropped, soon());
  (*connection)->rollback();
  return done ? "none" : done.error().error_class();
}

constexpr policy::SqlVerbs verbs(std::initializer_list<SqlVerb> list) {
  policy::SqlVerbs set = 0;
  for (auto verb : list) set = policy::with(set, verb);
  return set;
}

}  // namespace

TEST_CASE("the authorizer refuses what the verbs do not cover", "[sql][sqlite][policy]") {
  const test::SqlWorld world(Engine::sqlite);
  const auto& file = world.database;
  struct Row {
    policy::SqlVerbs verbs;
    std::string text;
    const char* error;
  };
  const auto everything = verbs({SqlVerb::select, SqlVerb::insert, SqlVerb::update, SqlVerb::remove, SqlVerb::ddl});
  const Row table[] = {
      {verbs({SqlVerb::insert}), "insert into orders (id) values (1)", "none"},
      {verbs({SqlVerb::insert}), "delete from orders", "permission"},
      {verbs({SqlVerb::insert}), "update orders set name = 'x'", "permission"},
      {verbs({SqlVerb::insert}), "insert into orders (id) select 1 from items", "permission"},
      {verbs({SqlVerb::insert}), "insert into orders (id) values (1) on conflict (id) do update set name = 'x'",
       "permission"},
      {verbs({SqlVerb::insert, SqlVerb::update}),
       "insert into orders (id) values (1) on conflict (id) do update set name = 'x'", "none"},
      {verbs({SqlVerb::select, SqlVerb::remove}), "drop table items", "permission"},
      {verbs({SqlVerb::select, SqlVerb::insert}), "create table x (i)", "permission"},
      {verbs({SqlVerb::select, SqlVerb::insert}), "create temp table x (i)", "permission"},
      {verbs({SqlVerb::select, SqlVerb::insert, SqlVerb::update}), "update sqlite_schema set sql = ''", "permission"},
      {everything, "create table x (i)", "none"},
      {everything, "attach 'other.db' as other", "permission"},
      {everything, "pragma journal_mode = off", "permission"},
      {everything, "select load_extension('x')", "permission"},
      {everything, "commit", "permission"},
      {everything, "savepoint x", "permission"},
      {everything, "vacuum into 'other.db'", "permission"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto error = unchecked(file, row.verbs, row.text);
    if (row.error == std::string("permission")) {
      CHECK(error != "none");
    } else {
      CHECK(error == row.error);
    }
  }
}

TEST_CASE("a transaction that only reads does not write", "[sql][sqlite]") {
  const test::SqlWorld world(Engine::sqlite);
  const auto database = sql::make_sqlite({world.database}, verbs({SqlVerb::insert}));
  auto connection = *database->connect(soon());
  REQUIRE(connection->begin(sql::Access::read_only, soon()));
  sql::DroppedRows dropped;
  const auto inserted =
      connection->execute(sql::Statement{"insert into orders (id) values (1)", {}}, {}, dropped, soon());
  CHECK(inserted.error().error_class() == "permission");
}

TEST_CASE("a database file that is not there is not made", "[sql][sqlite]") {
  test::ConnectorSite agent("connections: {db: {kind: sql, driver: sqlite, file: \"@DIR@/none.db\"}}",
                            "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [select]}}}");
  const auto actions = sql::make_actions(agent.site());
  const auto output = agent.run(*actions.front(), args({{"statement", "select 1 as x"}}), "db");
  REQUIRE_FALSE(output);
  CHECK(output.error().error_class() == "connection");
  CHECK(output.error().message == "connecting to db: it could not be reached; the agent's log says more");
  CHECK(agent.logged().find(agent.dir.path("none.db") + ": there is no such file") != std::string::npos);
  CHECK_FALSE(agent.dir.has("none.db"));
  agent.dir.write("none.db", std::string(4096, 'x'));
  CHECK(agent.run(*actions.front(), args({{"statement", "select * from sqlite_schema"}}), "db").error().error_class() ==
        "internal");
}

TEST_CASE("a lock held by somebody else is waited for until the deadline, no longer", "[sql][sqlite]") {
  test::SqlWorld world(Engine::sqlite);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(world.database.c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "begin exclusive", nullptr, nullptr, nullptr) == SQLITE_OK);
  world.agent->patience = 300ms;
  const auto begin = std::chrono::steady_clock::now();
  const auto locked = world.execute("insert into orders (id) values (1)", Value(ValueMap{}));
  REQUIRE_FALSE(locked);
  CHECK(locked.error().error_class() == "timeout");
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  sqlite3_exec(other, "rollback", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  world.agent->patience = 30s;
  CHECK(world.execute("insert into orders (id) values (1)", Value(ValueMap{})));
}

TEST_CASE("a run after one that nobody knows the end of stays in doubt until the ledger has answered",
          "[sql][sqlite][ledger][doubt]") {
  test::SqlWorld world(Engine::sqlite);
  const auto classes = [&](bool exactly_once) {
    const auto output = world.run("sql.execute@1", args({{"statement", "insert into orders (id, name) values (1, 'x')"},
                                                         {"exactly_once", exactly_once}}));
    return output ? std::vector<std::string>{} : output.error().classes;
  };
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(world.database.c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "begin exclusive", nullptr, nullptr, nullptr) == SQLITE_OK);
  world.agent->patience = 300ms;
  CHECK(classes(true) == std::vector<std::string>{"timeout"});
  world.agent->repeated = true;
  CHECK(classes(true) == std::vector<std::string>{"in_doubt", "timeout"});
  CHECK(classes(false) == std::vector<std::string>{"timeout"});
  sqlite3_exec(other, "rollback", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  world.agent->patience = 30s;
  world.sql("insert into orders (id, name) values (1, 'there')");
  CHECK(classes(true).back() == "constraint");  // the ledger had no entry: nothing has happened
  CHECK(classes(true).front() != "in_doubt");
}

TEST_CASE("a database file that was replaced is opened anew", "[sql][sqlite]") {
  const std::string mode = GENERATE("wal", "delete");
  INFO(mode);
  test::SqlWorld world(Engine::sqlite);
  world.sql("pragma journal_mode = " + mode);
  const std::string insert = "insert into orders (id) values (:id)";
  const auto row = [](int id) { return Value(ValueMap{{Value("id"), Value(id)}}); };
  REQUIRE(world.affected(insert, row(1)) == 1);  // the pool keeps this connection
  const std::string fresh = world.agent->dir.path("new.db");
  std::filesystem::copy_file(world.database, fresh);
  for (const char* rest : {"-wal", "-shm"}) std::filesystem::remove(world.database + rest);
  std::filesystem::rename(fresh, world.database);
  world.sql("create table if not exists orders (id bigint primary key, name text)");
  world.sql("delete from orders");
  CHECK(world.affected(insert, row(2)) == 1);
  CHECK(world.affected(insert, row(3)) == 1);
  CHECK(world.sql("select count(*) from orders") == "2");
  const auto read = world.run("sql.query@1", args({{"statement", "select count(*) as n from orders"}}));
  REQUIRE(read);
  CHECK(read->find("list")->as_list().at(0).find("n")->as_int() == 2);
}

TEST_CASE("a database file that is replaced during a transaction leaves the step in doubt", "[sql][sqlite]") {
  test::SqlWorld world(Engine::sqlite);
  const auto database = sql::make_sqlite({world.database}, verbs({SqlVerb::insert}));
  const auto connection = *database->connect(soon());
  REQUIRE(connection->begin(sql::Access::read_write, soon()));
  sql::DroppedRows dropped;
  REQUIRE(connection->execute(sql::Statement{"insert into orders (id) values (1)", {}}, {}, dropped, soon()));
  std::filesystem::copy_file(world.database, world.database + ".new");
  std::filesystem::rename(world.database + ".new", world.database);
  const auto committed = connection->commit(soon());
  REQUIRE_FALSE(committed);
  CHECK(committed.error().error_class() == "in_doubt");
  CHECK_FALSE(connection->is_usable());
}

TEST_CASE("text that is no UTF-8 is an error", "[sql][sqlite]") {
  test::SqlWorld world(Engine::sqlite);
  const auto broken = world.run("sql.query@1", args({{"statement", "select cast(x'ff' as text) as t"}}));
  CHECK(broken.error().error_class() == "format");
}

TEST_CASE("every value of SQLite keeps its storage class", "[sql][sqlite][bytes]") {
  test::SqlWorld world(Engine::sqlite);
  world.sql(
      "create table v (id integer, x); insert into v values (1, x'00ff'), (2, x''), (3, 2.0), (4, 9e999), "
      "(5, -9e999), (6, 2), (7, '2'), (8, ''), (9, null), (10, '3q2+')");
  const auto output = world.run("sql.query@1", args({{"statement", "select id + 100 as id, x from v order by id"}}));
  REQUIRE(output);
  const std::string copy = "insert into v (id, x) values (:id, :x)";
  CHECK(world.affected(copy, *output->find("rows")) == 10);
  CHECK(world.sql("select count(*) from v a join v b on b.id = a.id + 100 and typeof(a.x) = typeof(b.x) and "
                  "quote(a.x) = quote(b.x)") == "10");
}

TEST_CASE("what SQLite would change without a word is refused", "[sql][sqlite]") {
  test::SqlWorld world(Engine::sqlite);
  world.sql("create table v (x integer)");
  const auto insert = [&](Value value) {
    return world.execute("insert into v values (:x)", Value(args({{"x", std::move(value)}})));
  };
  CHECK(insert(Value(std::numeric_limits<double>::quiet_NaN())).error().message ==
        "the parameter :x is NaN, which SQLite would store as null");
  CHECK(insert(Value(UINT64_MAX)).error().error_class() == "invalid");
  CHECK(insert(Value(std::uint64_t{INT64_MAX})));
  CHECK(world.sql("select x, typeof(x) from v") == "9223372036854775807|integer");
}

TEST_CASE("double-quoted text is a name, never a string", "[sql][sqlite]") {
  test::SqlWorld world(Engine::sqlite);
  CHECK(world.run("sql.query@1", args({{"statement", "select \"nothing\" as t"}})).error().error_class() == "invalid");
}
