#pragma once

#include "agent/connectors/sql/database.h"

#include <memory>

struct pg_conn;
struct pg_result;

namespace sallyport::connectors::sql {

struct FreeConnection {
  void operator()(pg_conn* connection) const;
};
struct FreeResult {
  void operator()(pg_result* result) const;
};
using ConnectionOwner = std::unique_ptr<pg_conn, FreeConnection>;
using ResultOwner = std::unique_ptr<pg_result, FreeResult>;

// libpq's non-blocking calls with a deadline and a stop: waits for the socket in short slices and never longer.
// PQcancel is not used: it blocks for as long as the server does not answer. The server ends a statement by its own
// statement_timeout, or because its client has gone (client_connection_check_interval).
class PostgresSession {
 public:
  explicit PostgresSession(ConnectionOwner connection) : connection_(std::move(connection)) {}

  // Results of the query that was sent, one by one; nullptr after the last. After a time-out or a stop the session is
  // broken.
  StepResult<ResultOwner> next_result(const CallLimits& limits);
  StepResult<void> flush(const CallLimits& limits);
  StepError broken(std::string_view doing);

  pg_conn* get() const { return connection_.get(); }
  bool is_usable() const;  // alive, and not in a transaction
  bool is_alive() const;
  bool is_broken() const { return broken_; }

 private:
  enum class For { reading, writing };
  StepResult<void> wait(For what, const CallLimits& limits);
  StepError interrupt(const CallLimits& limits);

  ConnectionOwner connection_;
  bool broken_ = false;
};

StepResult<std::unique_ptr<Connection>> connect_postgres(const policy::PostgresConnection& settings,
                                                         const vault::Vault& vault, const CallLimits& limits);

}  // namespace sallyport::connectors::sql
