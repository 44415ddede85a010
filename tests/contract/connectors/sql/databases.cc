#include "tests/contract/connectors/sql/databases.h"

#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/sql/sql_actions.h"
#include "agent/connectors/stored_rows.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace sallyport::test {
namespace {

using connectors::StepResult;

constexpr std::string_view kTables = R"(
create table orders (id bigint primary key, name text);
create table items (order_id bigint references orders (id), note text not null, amount integer default 1 check (amount > 0));
create table typed (i integer, d numeric(10,2), t text);
)";

constexpr std::string_view kPolicy = R"(actions: ["sql.*"]
limits: {{rows: {}, bytes: 256MiB}}
connections:
  db: {{sql: {{verbs: [{}]}}}}
)";

std::string sqlite_sql(const std::string& file, std::string_view text) {
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  sqlite3_busy_timeout(db, 10'000);
  std::string out;
  char* error = nullptr;
  const auto add_row = [](void* into, int count, char** values, char**) {
    auto& all = *static_cast<std::string*>(into);
    if (!all.empty()) all += '\n';
    for (int i = 0; i < count; ++i) all += (i > 0 ? "|" : "") + std::string(values[i] == nullptr ? "" : values[i]);
    return 0;
  };
  const int code = sqlite3_exec(db, std::string(text).c_str(), add_row, &out, &error);
  const std::string message = error == nullptr ? "" : error;
  sqlite3_free(error);
  sqlite3_close(db);
  if (code != SQLITE_OK) throw std::runtime_error("sqlite: " + message);
  return out;
}

std::string postgres_connection(const std::string& database) {
  return fmt::format(
      "{{kind: sql, driver: postgres, host: 127.0.0.1, port: {}, database: {}, user: postgres, password_file: \"{}\", "
      "pool: 2, effect_ledger: true}}",
      postgres().port(), database, postgres().password_file());
}

std::string mariadb_connection(const std::string& database) {
  return fmt::format(
      "{{kind: sql, driver: mysql, host: 127.0.0.1, port: {}, database: {}, user: agent, password_file: \"{}\", "
      "pool: 2, effect_ledger: true}}",
      mariadb().port(), database, mariadb().password_file());
}

std::string odbc_connection(SqlWorld::Engine engine, const std::string& database) {
  using enum SqlWorld::Engine;
  if (engine == sqlite)
    return "{kind: sql, driver: odbc, odbc_driver: SQLite3, attributes: {Database: \"@DIR@/test.db\"}, pool: 2}";
  const bool is_postgres = engine == SqlWorld::Engine::postgres;
  return fmt::format(
      "{{kind: sql, driver: odbc, odbc_driver: {}, server: {}, attributes: {{Server: 127.0.0.1, Port: \"{}\", "
      "Database: "
      "{}}}, user: {}, password_file: \"{}\", pool: 2, effect_ledger: true}}",
      is_postgres ? "PostgreSQL Unicode" : "MariaDB Unicode", is_postgres ? "postgres" : "mysql",
      is_postgres ? test::postgres().port() : test::mariadb().port(), database, is_postgres ? "postgres" : "agent",
      is_postgres ? test::postgres().password_file() : test::mariadb().password_file());
}

}  // namespace

PostgresServer& postgres() {
  static PostgresServer server;
  return server;
}

MariadbServer& mariadb() {
  static MariadbServer server;
  return server;
}

SqlWorld SqlWorld::any() { return SqlWorld(GENERATE(Engine::sqlite, Engine::postgres, Engine::mariadb)); }

SqlWorld SqlWorld::every(std::uint64_t most_rows, std::string_view verbs) {
  const auto [engine, way] = GENERATE(std::pair{Engine::sqlite, Way::native}, std::pair{Engine::postgres, Way::native},
                                      std::pair{Engine::mariadb, Way::native}, std::pair{Engine::postgres, Way::odbc},
                                      std::pair{Engine::mariadb, Way::odbc});
  return SqlWorld(engine, way, most_rows, verbs);
}

SqlWorld SqlWorld::any_by_odbc() { return SqlWorld(GENERATE(Engine::postgres, Engine::mariadb), Way::odbc); }

SqlWorld::SqlWorld(Engine which, Way by, std::uint64_t most_rows, std::string_view verbs) : engine(which), way(by) {
  static int count = 0;
  if (engine != Engine::sqlite) {
    const bool is_postgres = engine == Engine::postgres;
    database = "test" + std::to_string(++count);
    const auto create = "create database " + database;
    is_postgres ? postgres().sql(create) : mariadb().sql(create);
    agent =
        std::make_unique<ConnectorSite>("connections:\n  db: " + (way == Way::odbc ? odbc_connection(engine, database)
                                                                  : is_postgres    ? postgres_connection(database)
                                                                                   : mariadb_connection(database)),
                                        fmt::format(kPolicy, most_rows, verbs));
  } else {
    agent = std::make_unique<ConnectorSite>(
        "connections:\n  db: " +
            (way == Way::odbc ? odbc_connection(engine, "")
                              : "{kind: sql, driver: sqlite, file: \"@DIR@/test.db\", pool: 2, effect_ledger: true}"),
        fmt::format(kPolicy, most_rows, verbs));
    database = agent->dir.path("test.db");
  }
  sql(kTables);
  std::vector<std::unique_ptr<connectors::RowFormat>> formats;
  formats.push_back(std::make_unique<connectors::StoredRowsFormat>());
  formats.push_back(std::make_unique<connectors::json::NdjsonFormat>());
  agent->bodies.add(std::make_unique<connectors::RowsOpener>(std::move(formats)));
  for (auto& action : connectors::sql::make_actions(agent->site())) {
    const std::string name(action->name());
    actions[name] = std::move(action);
  }
}

StepResult<Value> SqlWorld::run(std::string_view action, ValueMap arguments) {
  return agent->run(*actions.find(action)->second, std::move(arguments), "db");
}

StepResult<Value> SqlWorld::execute(std::string_view statement, Value params) {
  return run("sql.execute@1", args({{"statement", Value(statement)}, {"params", std::move(params)}}));
}

std::int64_t SqlWorld::affected(std::string_view statement, Value params) {
  static int runs = 0;
  const auto key = agent->idempotency_key;
  if (key == "key-1") agent->idempotency_key = "run " + std::to_string(++runs);
  const auto output = execute(statement, std::move(params));
  agent->idempotency_key = key;
  if (!output) FAIL(output.error().error_class() << ": " << output.error().message);
  return output->find("affected")->as_int();
}

std::string SqlWorld::rows_of(const Value& handle) {
  auto rows = agent->bodies.open_rows(handle.as_handle());
  REQUIRE(rows);
  std::string all;
  for (;;) {
    const auto row = (*rows)->next();
    REQUIRE(row);
    if (!*row) return all;
    all += to_json(**row) + "\n";
  }
}

std::string SqlWorld::sql(std::string_view text) {
  if (engine == Engine::mariadb) return mariadb().sql(text, database);
  return engine == Engine::postgres ? postgres().sql(text, database) : sqlite_sql(database, text);
}

std::string SqlWorld::endless() const {
  if (engine == Engine::postgres) return "select pg_sleep(600)";
  if (engine == Engine::mariadb) return "select sleep(600)";
  return "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as i from n where i < 0";
}

std::string SqlWorld::upsert() const {
  const std::string insert = "insert into orders (id, name) values (:id, :name) ";
  return insert + (engine == Engine::mariadb ? "on duplicate key update name = values(name)"
                                             : "on conflict (id) do update set name = excluded.name");
}

}  // namespace sallyport::test
