#pragma once

#include "agent/connectors/sql/phase.h"
#include "agent/connectors/sql/postgres_copy.h"
#include "agent/connectors/sql/postgres_session.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors::sql {

// One libpq connection. Statements are prepared once in a transaction and kept by their text; rows come one at a time
// (single-row mode).
class PostgresConnectionImpl final : public Connection {
 public:
  explicit PostgresConnectionImpl(ConnectionOwner connection) : session_(std::move(connection)) {}

  // Has the server look after its client every second, where it can: not every platform can, so a refusal is ignored.
  void watch_client(const CallLimits& limits);

  StepResult<void> begin(Access access, const CallLimits& limits) override;
  StepResult<void> commit(const CallLimits& limits) override;
  void rollback() noexcept override;
  StepResult<std::int64_t> execute(const Statement& statement, const ValueList& parameters, DroppedRows& dropped,
                                   const CallLimits& limits) override;
  StepResult<std::int64_t> execute_own(const Statement& statement, const ValueList& parameters,
                                       const CallLimits& limits) override {
    DroppedRows dropped;
    return execute(statement, parameters, dropped, limits);
  }
  // Many rows of a plain insert by COPY, where that is the same; whatever else, and what COPY does not take, in a
  // pipeline, so that all wait for the server together and the one that failed is known.
  StepResult<std::int64_t> execute_each(const Statement& statement, std::span<const ValueList> sets, std::size_t& done,
                                        DroppedRows& dropped, const CallLimits& limits) override;
  StepResult<void> query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                         const CallLimits& limits) override;
  StepResult<void> query_own(const Statement& statement, const ValueList& parameters, RowSink& sink,
                             const CallLimits& limits) override {
    return query(statement, parameters, sink, limits);
  }
  bool is_usable() override;

 private:
  struct Description {
    std::vector<unsigned> types;  // of the parameters
    bool returns_rows;
  };
  struct Prepared {
    std::string name;
    std::optional<Description> description = {};  // once somebody asked
  };
  StepResult<Prepared*> prepare(const Statement& statement, const CallLimits& limits);
  StepResult<const Description*> describe(Prepared& prepared, const CallLimits& limits);
  static std::optional<std::size_t> misplaced_bytes(const Description& description, const ValueList& values);
  StepResult<void> check_bytes(Prepared& prepared, const Statement& statement, const ValueList& parameters,
                               const CallLimits& limits);
  StepResult<void> simple(const std::string& text, const CallLimits& limits);
  StepResult<void> reset(const CallLimits& limits);
  StepResult<void> check_lexis();
  StepResult<void> skip_results(const CallLimits& limits);
  StepResult<void> send(const Statement& statement, const ValueList& parameters, const CallLimits& limits);
  StepResult<void> put(Prepared& prepared, const Statement& statement, const ValueList& parameters,
                       const CallLimits& limits);
  StepResult<const PlainInsert*> copyable(const Statement& statement, const CallLimits& limits);
  StepResult<std::optional<std::int64_t>> copy(const Statement& statement, const Description& description,
                                               std::span<const ValueList> sets, const CallLimits& limits);
  StepResult<std::int64_t> put_copy(const PlainInsert& insert, const std::string& rows, const CallLimits& limits);
  StepResult<void> put_pipeline(Prepared& prepared, const Statement& statement, std::span<const ValueList> sets,
                                std::size_t& sent, const CallLimits& limits);
  StepResult<std::int64_t> take_pipeline(std::size_t count, std::size_t& done, const CallLimits& limits);
  StepError refusal(const pg_result* result, Phase phase, const CallLimits& limits);
  StepResult<ResultOwner> only_result(const CallLimits& limits, Phase phase = Phase::run);
  template <class Take>
  StepResult<std::int64_t> take_results(const CallLimits& limits, Take take);

  PostgresSession session_;
  std::map<std::string, Prepared> prepared_;                   // by text
  std::map<std::string, std::optional<PlainInsert>> inserts_;  // by text; nothing: COPY does not do the same
  std::uint64_t next_name_ = 0;  // never used twice: a prepare that timed out may have happened
  std::size_t savepoints_ = 0;   // for COPY, in this transaction
  bool used_ = false;            // a transaction has been here
  bool watches_client_ = false;
};

}  // namespace sallyport::connectors::sql
