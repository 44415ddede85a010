#pragma once

#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/phase.h"

#include <memory>

struct st_mysql;
struct st_mysql_stmt;

namespace sallyport::connectors::sql {

struct FreeMysql {
  void operator()(st_mysql* connection) const;
};
struct FreeMysqlStatement {
  void operator()(st_mysql_stmt* statement) const;
};
using MysqlOwner = std::unique_ptr<st_mysql, FreeMysql>;
using MysqlStatementOwner = std::unique_ptr<st_mysql_stmt, FreeMysqlStatement>;

struct MysqlLogin {
  std::string host, socket, user, password, database;  // a host, or a socket
  unsigned port;
  unsigned long flags;
};

// libmariadb's non-blocking calls with a deadline and a stop: waits for the socket in short slices and never longer.
// Only the handshake of TLS blocks in the library, for connect_timeout at most. A session that broke is cut off at
// once: what the library does with it afterwards waits for nobody.
class MysqlSession {
 public:
  explicit MysqlSession(MysqlOwner connection) : connection_(std::move(connection)) {}

  StepResult<void> connect(const MysqlLogin& login, std::string_view doing, const CallLimits& limits);
  StepResult<void> simple(const std::string& text, const CallLimits& limits);  // returns no rows
  StepResult<void> reset(const CallLimits& limits);  // server and library forget every statement
  StepResult<MysqlStatementOwner> prepare(const std::string& text, const CallLimits& limits);
  StepResult<void> execute(st_mysql_stmt* statement, const CallLimits& limits);
  enum class Fetched { row, end };
  StepResult<Fetched> fetch(st_mysql_stmt* statement, const CallLimits& limits);
  StepResult<void> next_result(st_mysql_stmt* statement, const CallLimits& limits);

  StepError broken(std::string_view doing);
  st_mysql* get() const { return connection_.get(); }
  bool is_alive() const { return !broken_; }
  bool is_quiet() const;  // nothing has come that nobody asked for, such as the end of the connection
  // As the server said with its last answer.
  bool is_in_transaction() const;
  // Whether the last answer told that the transaction has written to a table that knows none.
  bool wrote_without_transaction() const;

 private:
  template <class Start, class Go>
  StepResult<void> finish(const CallLimits& limits, Start start, Go go);
  StepResult<int> wait(int events, const CallLimits& limits);
  StepError interrupt(const CallLimits& limits);
  StepError refusal(const CallLimits& limits);
  StepError refusal(st_mysql_stmt* statement, Phase phase, const CallLimits& limits);
  void cut();

  MysqlOwner connection_;
  bool broken_ = false;
};

StepResult<std::unique_ptr<Connection>> connect_mysql(const policy::MysqlConnection& settings,
                                                      const vault::Vault& vault, const CallLimits& limits);

}  // namespace sallyport::connectors::sql
