#pragma once

#include "agent/connectors/sql/odbc_session.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::connectors::sql {

// One session through ODBC. Nothing in ODBC clears what a step leaves in its session, so each serves one step and is
// closed then. What only reads is rolled back at its end, whatever it has called.
class OdbcConnectionImpl final : public Connection {
 public:
  OdbcConnectionImpl(std::unique_ptr<OdbcSession> session, policy::OdbcServer server)
      : session_(std::move(session)), server_(server) {}

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
                             const CallLimits& limits) override {
    return query(statement, parameters, sink, limits);
  }
  StepResult<bool> has_transactions(const CallLimits& limits) override;
  StepResult<std::string> server_name(const CallLimits& limits) override;
  bool is_usable() override { return !used_; }

 private:
  // What a statement has given: rows that are still to be fetched, or a number of rows changed.
  struct Given {
    std::vector<std::string> columns;
    std::int64_t changed = 0;
  };
  struct Fetched {
    std::vector<OdbcRow> rows;
    bool at_end = false;
  };
  struct Taker {
    virtual ~Taker() = default;
    virtual StepResult<void> begin(const std::vector<std::string>& columns) = 0;
    virtual StepResult<void> row(OdbcRow row) = 0;
  };
  class Dropping;
  class Giving;

  StepResult<void> end(SQLSMALLINT how, const CallLimits& limits);
  StepResult<Given> start(const Statement& statement, const ValueList& parameters, const CallLimits& limits);
  static StepResult<Given> look_at_result(OdbcHandles& handles, policy::OdbcServer server, const CallLimits& limits);
  StepResult<Fetched> fetch(const CallLimits& limits);
  StepResult<std::optional<Given>> next_result(const CallLimits& limits);
  StepResult<std::int64_t> take(const Statement& statement, const ValueList& parameters, Taker& taker,
                                const CallLimits& limits);
  StepResult<void> take_rows(Taker& taker, const CallLimits& limits);

  std::unique_ptr<OdbcSession> session_;
  policy::OdbcServer server_;
  Access access_ = Access::read_only;
  std::uint64_t fetched_ = 0;  // rows of the result under way
  bool used_ = false, open_ = false;
};

StepResult<std::unique_ptr<Connection>> connect_odbc(const policy::OdbcConnection& settings, const vault::Vault& vault,
                                                     const LeftBehind& left_behind, const CallLimits& limits);

}  // namespace sallyport::connectors::sql
