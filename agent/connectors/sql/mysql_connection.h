#pragma once

#include "agent/connectors/sql/mysql_session.h"
#include "agent/connectors/sql/mysql_values.h"

#include <chrono>
#include <map>
#include <string>

namespace sallyport::connectors::sql {

// One connection to MySQL or MariaDB. Every statement is prepared, so that no text holds two; rows come one at a time.
//
// What the server commits by itself (before and after ddl, inside a procedure) and what it cannot roll back (tables of
// MyISAM and the like) is no transaction: execute() and query() notice it when it has happened, and say "in_doubt". A
// statement that commits itself is fine when nothing was before it.
class MysqlConnectionImpl final : public Connection {
 public:
  enum class Server { mysql, mariadb };
  MysqlConnectionImpl(MysqlSession session, Server server) : session_(std::move(session)), server_(server) {}

  StepResult<void> begin(Access access, const CallLimits& limits) override;
  StepResult<void> commit(const CallLimits& limits) override;
  void rollback() noexcept override;
  StepResult<std::int64_t> execute(const Statement& statement, const ValueList& parameters, DroppedRows& dropped,
                                   const CallLimits& limits) override;
  StepResult<std::int64_t> execute_own(const Statement& statement, const ValueList& parameters,
                                       const CallLimits& limits) override;
  StepResult<void> query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                         const CallLimits& limits) override;
  StepResult<void> query_own(const Statement& statement, const ValueList& parameters, RowSink& sink,
                             const CallLimits& limits) override;
  bool is_usable() override;

 private:
  // Receives the rows of one result set.
  struct Taker {
    virtual ~Taker() = default;
    virtual StepResult<void> begin(const MysqlRow& columns) = 0;
    virtual StepResult<void> row(MysqlRow& row) = 0;
  };
  class Dropping;
  class Giving;

  StepResult<void> settle(const CallLimits& limits);
  StepResult<void> check_lexis(const CallLimits& limits);
  StepResult<st_mysql_stmt*> prepare(const Statement& statement, const CallLimits& limits);
  StepResult<void> send(st_mysql_stmt* statement, const Statement& names, const ValueList& parameters,
                        const CallLimits& limits);
  StepResult<std::int64_t> run(const Statement& statement, const ValueList& parameters, Taker& taker,
                               const CallLimits& limits);
  StepResult<std::int64_t> take_results(st_mysql_stmt* statement, Taker& taker, const CallLimits& limits);
  StepResult<std::int64_t> take_rows(st_mysql_stmt* statement, Taker& taker, const CallLimits& limits);
  StepResult<void> check_transaction(bool had_rows, const CallLimits& limits);

  MysqlSession session_;
  Server server_;
  std::map<std::string, MysqlStatementOwner> prepared_;  // by text; of this transaction
  Access access_ = Access::read_only;
  std::uint64_t runs_ = 0;  // statements of this transaction
  bool ended_ = false;      // the server has committed it by itself
  bool not_own_ = false;    // one of them was a recipe's
  bool used_ = false;       // a transaction has been here
};

}  // namespace sallyport::connectors::sql
