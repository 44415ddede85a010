#pragma once

#include "agent/connectors/connector.h"
#include "tests/support/connector_site.h"
#include "tests/support/mariadb.h"
#include "tests/support/postgres.h"

#include <map>
#include <memory>
#include <string>

namespace sallyport::test {

// The servers of this test program, each started when it is first asked for.
PostgresServer& postgres();
MariadbServer& mariadb();

// An agent with one connection "db" to a fresh database with the tables orders, items and typed.
class SqlWorld {
 public:
  enum class Engine { sqlite, postgres, mariadb };
  enum class Way { native, odbc };
  static constexpr std::uint64_t kMostRows = 50'000;  // of a step, by the policy

  static constexpr std::string_view kVerbs = "select, insert, update, delete";

  static SqlWorld any();  // Catch runs the case once for each engine
  // And once more for each server through ODBC.
  static SqlWorld every(std::uint64_t most_rows = kMostRows, std::string_view verbs = kVerbs);
  static SqlWorld any_by_odbc();
  explicit SqlWorld(Engine engine, Way way = Way::native, std::uint64_t most_rows = kMostRows,
                    std::string_view verbs = kVerbs);

  connectors::StepResult<Value> run(std::string_view action, ValueMap arguments);
  connectors::StepResult<Value> execute(std::string_view statement, Value params);
  std::int64_t affected(std::string_view statement, Value params);  // fails the test when the statement fails
  std::string rows_of(const Value& handle);                         // one JSON line per row
  std::string sql(std::string_view text);                           // past the agent; columns parted by `|`
  std::string endless() const;                                      // a query that never ends
  std::string upsert() const;                                       // into orders, of :id and :name
  std::string_view key() const { return engine == Engine::mariadb ? "`key`" : "key"; }  // of the ledger

  Engine engine;
  Way way;
  std::string database;  // its name, or its file
  std::unique_ptr<ConnectorSite> agent;
  std::map<std::string, std::unique_ptr<connectors::Action>, std::less<>> actions;
};

}  // namespace sallyport::test
