#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/sql/row_limit.h"
#include "agent/connectors/sql/statement.h"
#include "agent/connectors/step_error.h"
#include "agent/policy/connections.h"
#include "agent/vault/vault.h"
#include "shared/base/value.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors::sql {

// Adapters interrupt the server at the deadline and at a stop.
using connectors::CallLimits;

// Receives a result set row by row; an error ends the query and is returned from it.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual StepResult<void> begin(const std::vector<std::string>& columns) = 0;
  virtual StepResult<void> row(ValueList values) = 0;
};

enum class Access { read_only, read_write };

// One session with a server; used by one thread at a time. Nothing that a statement leaves in its session
// (settings, locks, temporary tables) reaches a later transaction: begin() clears it, or is_usable() is false. Values
// come as null, bool, int64 (exact), double, bytes, or text: decimals as their digits, timestamps as RFC 3339 (without
// zone: as the server has it). A parameter arrives as what it is or is class "invalid" (bytes where the server wants
// another type; in SQLite NaN, and integers over 64 bits with sign).
// A row is fetched whole, and only one is held at a time; one over kMaxRow is class "too_large". Errors carry the
// server's code as a class ("sqlstate:23505") and the names of constraints, never data of a row or parameter.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual StepResult<void> begin(Access access, const CallLimits& limits) = 0;
  // When the first class of the error is "in_doubt", nobody knows whether the transaction took effect: the server was
  // told to commit, and its answer did not come. The class of what happened follows.
  virtual StepResult<void> commit(const CallLimits& limits) = 0;
  virtual void rollback() noexcept = 0;  // harmless without a transaction
  // The number of rows changed. What the statement returns goes to `dropped`, row by row.
  virtual StepResult<std::int64_t> execute(const Statement& statement, const ValueList& parameters,
                                           DroppedRows& dropped, const CallLimits& limits) = 0;
  // The same once for each of `sets`, in order, until one fails; `done` counts those that did not. Where
  // that is not known it counts those before all that it can be, and the message says how many they are.
  virtual StepResult<std::int64_t> execute_each(const Statement& statement, std::span<const ValueList> sets,
                                                std::size_t& done, DroppedRows& dropped, const CallLimits& limits);
  virtual StepResult<void> query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                                 const CallLimits& limits) = 0;
  // The same for statements of the agent itself (the effect ledger): not held to the policy's verbs.
  virtual StepResult<std::int64_t> execute_own(const Statement& statement, const ValueList& parameters,
                                               const CallLimits& limits) = 0;
  virtual StepResult<void> query_own(const Statement& statement, const ValueList& parameters, RowSink& sink,
                                     const CallLimits& limits) = 0;
  // False: what it calls a transaction may undo nothing. What the driver says, where there is one.
  virtual StepResult<bool> has_transactions(const CallLimits& /*limits*/) { return true; }
  // What the driver calls the server, where there is one; else empty.
  virtual StepResult<std::string> server_name(const CallLimits& /*limits*/) { return std::string(); }
  virtual bool is_usable() = 0;  // false: do not put it back into the pool
};

class Database {
 public:
  virtual ~Database() = default;
  virtual policy::SqlDialect dialect() const = 0;
  // That of the server, in which the effect ledger is kept.
  virtual policy::SqlDialect ledger_dialect() const { return dialect(); }
  virtual StepResult<std::unique_ptr<Connection>> connect(const CallLimits& limits) = 0;
  // Another number once connect() logs in by other credentials: connections from before are not to be used again.
  virtual std::uint64_t credentials() const { return 0; }
};

// SQLite's authorizer holds every statement to `verbs` a second time, by what it really does. Values and rows over 64
// MiB are class "too_large" to it, wherever they stand.
std::unique_ptr<Database> make_sqlite(policy::SqliteConnection settings, policy::SqlVerbs verbs);
// The vault outlives the database; the password is asked for at each connect and handed to libpq only. libpq holds the
// row it reads up to twice, before anything here can look at its size: PostgreSQL's own limit is 1 GB for a value.
std::unique_ptr<Database> make_postgres(policy::PostgresConnection settings, const vault::Vault& vault);
// MySQL and MariaDB, the same way; libmariadb refuses a row over kMaxRow before it holds it. Their servers know no
// types of parameters: bytes where they want something else become that, as a text would.
std::unique_ptr<Database> make_mysql(policy::MysqlConnection settings, const vault::Vault& vault);
// Whatever has an ODBC driver. A driver may hold more than one row; a call of it that does not come back is left behind
// with its thread, and the session is cut.
std::unique_ptr<Database> make_odbc(policy::OdbcConnection settings, const vault::Vault& vault);
// The one of these that the settings name.
std::unique_ptr<Database> make_database(const policy::SqlConnection& settings, policy::SqlVerbs verbs,
                                        const vault::Vault& vault);
// Whether the client library that the settings need is on this machine. Errors: not_found, with what to install.
Result<void> check_client(const policy::SqlConnection& settings);

}  // namespace sallyport::connectors::sql
