#include "agent/connectors/sql/mysql_connection.h"

#include "agent/connectors/sql/libmariadb.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;

constexpr auto kRollbackLimit = 5s;
constexpr std::string_view kCommit = "commit and no chain no release";
constexpr std::string_view kRollback = "rollback and no chain no release";

// How the server reads texts, and that it refuses what does not fit instead of bending it.
constexpr std::string_view kMode = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
// Setting it, even to what it is, has the server tell the state of the transaction.
constexpr std::string_view kTracked = "session_track_transaction_info = 'CHARACTERISTICS'";
constexpr std::string_view kLexis = "select @@session.sql_mode, @@session.character_set_client";

std::string settings(MysqlConnectionImpl::Server server, SteadyTime deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  const auto ms = std::clamp<std::int64_t>(left, 1, INT32_MAX);
  const auto limit = server == MysqlConnectionImpl::Server::mariadb
                         ? fmt::format("max_statement_time = {}.{:03}", ms / 1000, ms % 1000)
                         : fmt::format("max_execution_time = {}", ms);
  return fmt::format(
      "set names utf8mb4, sql_mode = '{}', time_zone = '+00:00', autocommit = 0, lc_messages = 'en_US', "
      "{}, {}",
      kMode, kTracked, limit);
}

class FirstRow final : public RowSink {
 public:
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(ValueList row) override {
    values = std::move(row);
    return {};
  }
  ValueList values;
};

}  // namespace

class MysqlConnectionImpl::Dropping final : public Taker {
 public:
  explicit Dropping(DroppedRows& dropped) : dropped_(dropped) {}
  StepResult<void> begin(const MysqlRow&) override { return {}; }
  StepResult<void> row(MysqlRow& row) override { return dropped_.drop(row.bytes()); }

 private:
  DroppedRows& dropped_;
};

class MysqlConnectionImpl::Giving final : public Taker {
 public:
  explicit Giving(RowSink& sink) : sink_(sink) {}
  StepResult<void> begin(const MysqlRow& columns) override { return sink_.begin(columns.names()); }
  StepResult<void> row(MysqlRow& row) override {
    SP_CHECK(check_row(++count_, row.bytes()));
    return sink_.row(row.values());
  }

 private:
  RowSink& sink_;
  std::uint64_t count_ = 0;
};

// What a reset does not set is set here, each time: the server's own defaults are none of ours.
StepResult<void> MysqlConnectionImpl::settle(const CallLimits& limits) {
  if (std::exchange(used_, true)) SP_CHECK(session_.reset(limits));
  prepared_.clear();
  return session_.simple(settings(server_, limits.deadline), limits);
}

StepResult<void> MysqlConnectionImpl::begin(Access access, const CallLimits& limits) {
  access_ = access;
  runs_ = 0;
  ended_ = not_own_ = false;
  SP_CHECK(settle(limits));
  return session_.simple(fmt::format("start transaction {}", access == Access::read_only ? "read only" : "read write"),
                         limits);
}

// Only a deadlock (of a cluster's nodes) is known to have undone everything; whatever else goes wrong with a commit may
// come after it.
StepResult<void> MysqlConnectionImpl::commit(const CallLimits& limits) {
  if (!session_.is_alive()) return std::unexpected(session_.broken("committing"));
  if (ended_) return {};
  auto done = session_.simple(std::string(kCommit), limits);
  if (!done && done.error().error_class() != "sqlstate:40001")
    done.error().classes = {"in_doubt", done.error().classes.back()};
  return done;
}

void MysqlConnectionImpl::rollback() noexcept {
  if (session_.is_alive() && session_.is_in_transaction())
    (void)session_.simple(std::string(kRollback), CallLimits{std::chrono::steady_clock::now() + kRollbackLimit, {}});
}

// The policy has read the statements of this transaction in the light of these settings; a procedure or function that
// an earlier one has called may have changed them.
StepResult<void> MysqlConnectionImpl::check_lexis(const CallLimits& limits) {
  auto& look = prepared_[std::string(kLexis)];
  if (!look) {
    SP_TRY(look, session_.prepare(std::string(kLexis), limits));
  }
  FirstRow now;
  Giving giving(now);
  SP_CHECK(session_.execute(look.get(), limits));
  SP_CHECK(take_results(look.get(), giving, limits));
  if (now.values == ValueList{Value(kMode), Value("utf8mb4")}) return {};
  return step_fail("invalid", "sql_mode or character_set_client is changed in this session; no statement may do that");
}

StepResult<st_mysql_stmt*> MysqlConnectionImpl::prepare(const Statement& statement, const CallLimits& limits) {
  if (const auto it = prepared_.find(statement.text); it != prepared_.end() && it->second) return it->second.get();
  if (not_own_) SP_CHECK(check_lexis(limits));
  SP_TRY(auto prepared, session_.prepare(statement.text, limits));
  auto* const borrowed = prepared.get();
  prepared_.insert_or_assign(statement.text, std::move(prepared));
  return borrowed;
}

StepResult<void> MysqlConnectionImpl::send(st_mysql_stmt* statement, const Statement& names,
                                           const ValueList& parameters, const CallLimits& limits) {
  MysqlParameters given(parameters);
  if (const auto at = given.without_form())
    return step_fail("invalid", fmt::format("the parameter :{} is no finite number, which MySQL cannot store",
                                            names.parameters[*at]));
  if (libmariadb().mysql_stmt_param_count(statement) != parameters.size())
    return step_fail("invalid", "the server sees another number of parameters in the statement");
  if (!parameters.empty() && libmariadb().mysql_stmt_bind_param(statement, given.binds()) != 0)
    return step_fail("internal", "libmariadb does not take the parameters");
  return session_.execute(statement, limits);
}

StepResult<std::int64_t> MysqlConnectionImpl::take_rows(st_mysql_stmt* statement, Taker& taker,
                                                        const CallLimits& limits) {
  MysqlRow row(statement, libmariadb().mariadb_stmt_fetch_fields(statement),
               libmariadb().mysql_stmt_field_count(statement));
  if (!row.bind()) return step_fail("invalid", "the statement returns a type of column that is not known here");
  SP_CHECK(taker.begin(row));
  for (std::int64_t count = 0;; ++count) {
    auto fetched = session_.fetch(statement, limits);
    if (!fetched && fetched.error().error_class() == "too_large")
      SP_CHECK(check_row(static_cast<std::uint64_t>(count) + 1, UINT64_MAX));
    if (!fetched) return std::unexpected(std::move(fetched).error());
    if (*fetched == MysqlSession::Fetched::end) return count;
    SP_CHECK(taker.row(row));
  }
}

// Gives what the last result tells: rows changed, or rows returned. After an error the rest is still to come, so that
// the session is not usable again.
StepResult<std::int64_t> MysqlConnectionImpl::take_results(st_mysql_stmt* statement, Taker& taker,
                                                           const CallLimits& limits) {
  for (;;) {
    std::int64_t changed = 0;
    if (libmariadb().mysql_stmt_field_count(statement) == 0) {
      changed = static_cast<std::int64_t>(libmariadb().mysql_stmt_affected_rows(statement));
    } else {
      SP_TRY(changed, take_rows(statement, taker, limits));
    }
    if (libmariadb().mysql_stmt_more_results(statement) == 0) return changed;
    SP_CHECK(session_.next_result(statement, limits));
  }
}

// The server tells what became of the transaction only with an answer that has no rows.
StepResult<void> MysqlConnectionImpl::check_transaction(bool had_rows, const CallLimits& limits) {
  if (access_ == Access::read_only) return {};
  if (had_rows) SP_CHECK(session_.simple(fmt::format("set {}", kTracked), limits));
  if (session_.wrote_without_transaction()) {
    return step_fail("in_doubt",
                     "the statement has written to a table without transactions (of MyISAM, say), which cannot be "
                     "undone: make it one of InnoDB");
  }
  if (session_.is_in_transaction()) return {};
  ended_ = true;
  if (runs_ == 1) return {};
  return step_fail("in_doubt", "the statement has committed the transaction by itself, with all that was before it");
}

StepResult<std::int64_t> MysqlConnectionImpl::run(const Statement& statement, const ValueList& parameters, Taker& taker,
                                                  const CallLimits& limits) {
  if (ended_)
    return step_fail("in_doubt", "a statement has committed the transaction by itself, and another would follow it");
  SP_TRY(auto* prepared, prepare(statement, limits));
  ++runs_;
  SP_CHECK(send(prepared, statement, parameters, limits));
  const bool had_rows = libmariadb().mysql_stmt_field_count(prepared) > 0;
  auto changed = take_results(prepared, taker, limits);
  if (!changed && had_rows) (void)session_.broken("reading from the database");
  if (!changed) return changed;
  SP_CHECK(check_transaction(had_rows, limits));
  return changed;
}

StepResult<std::int64_t> MysqlConnectionImpl::execute(const Statement& statement, const ValueList& parameters,
                                                      DroppedRows& dropped, const CallLimits& limits) {
  Dropping dropping(dropped);
  auto changed = run(statement, parameters, dropping, limits);
  not_own_ = true;
  return changed;
}

StepResult<std::int64_t> MysqlConnectionImpl::execute_own(const Statement& statement, const ValueList& parameters,
                                                          const CallLimits& limits) {
  DroppedRows dropped;
  Dropping dropping(dropped);
  return run(statement, parameters, dropping, limits);
}

StepResult<void> MysqlConnectionImpl::query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                                            const CallLimits& limits) {
  auto done = query_own(statement, parameters, sink, limits);
  not_own_ = true;
  return done;
}

StepResult<void> MysqlConnectionImpl::query_own(const Statement& statement, const ValueList& parameters, RowSink& sink,
                                                const CallLimits& limits) {
  Giving giving(sink);
  SP_CHECK(run(statement, parameters, giving, limits));
  return {};
}

bool MysqlConnectionImpl::is_usable() {
  return session_.is_alive() && !session_.is_in_transaction() && session_.is_quiet();
}

}  // namespace sallyport::connectors::sql
