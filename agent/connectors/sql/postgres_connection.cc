#include "agent/connectors/sql/postgres_connection.h"

#include "agent/connectors/sql/libpq.h"
#include "agent/connectors/sql/postgres_error.h"
#include "agent/connectors/sql/postgres_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;

constexpr auto kRollbackLimit = 5s;
constexpr std::size_t kWorthACopy = 50;  // rows
// Each that has written is a subtransaction. A session tells the others of 64; with more they have to look for each row
// of it in pg_subtrans, until it commits.
constexpr std::size_t kMostSavepoints = 50;  // of a transaction
constexpr const char* kSetSavepoint = "savepoint sallyport_rows";
constexpr const char* kReleaseSavepoint = "release savepoint sallyport_rows";
constexpr const char* kBackToSavepoint = "rollback to savepoint sallyport_rows; release savepoint sallyport_rows";

bool is_good(const PGresult* result) {
  const auto status = libpq().PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE ||
         status == PGRES_EMPTY_QUERY;
}

std::int64_t rows_changed(PGresult* result) {
  const std::string_view text = libpq().PQcmdTuples(result);
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

std::vector<std::string> column_names(const PGresult* result) {
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(libpq().PQnfields(result)));
  for (int i = 0; i < libpq().PQnfields(result); ++i) names.emplace_back(libpq().PQfname(result, i));
  return names;
}

std::string_view cell(const PGresult* result, int column) {
  return {libpq().PQgetvalue(result, 0, column), static_cast<std::size_t>(libpq().PQgetlength(result, 0, column))};
}

// In single-row mode a result has one row or none.
std::uint64_t row_bytes(const PGresult* result) {
  std::uint64_t bytes = 0;
  for (int i = 0; i < libpq().PQnfields(result); ++i) bytes += cell(result, i).size();
  return bytes;
}

ValueList read_row(const PGresult* result) {
  ValueList values;
  for (int i = 0; i < libpq().PQnfields(result); ++i) {
    if (libpq().PQgetisnull(result, 0, i) != 0) {
      values.emplace_back();
    } else {
      values.push_back(postgres_value(libpq().PQftype(result, i), cell(result, i)));
    }
  }
  return values;
}

// Not of a server that is out of something, of locks and deadlocks, nor of somebody who ended the statement ("timeout",
// "cancelled"): once more by other means would do what they have stopped.
bool may_be_of_a_row(const StepError& error) {
  constexpr std::array<std::string_view, 7> kOthers{"08", "40", "53", "55", "57", "58", "XX"};
  constexpr std::string_view kState = "sqlstate:";
  const std::string_view error_class = error.classes.front();
  if (!error_class.starts_with(kState)) return false;
  return std::ranges::none_of(
      kOthers, [&](std::string_view other) { return error_class.substr(kState.size()).starts_with(other); });
}

// Whoever gets it says the number of the first.
StepError of_some_row(StepError error, std::size_t rows) {
  error.message = fmt::format("it, or one of the {} after it: {}", rows - 1, error.message);
  return error;
}

}  // namespace

// A statement whose table changed is prepared afresh by whoever comes next.
StepError PostgresConnectionImpl::refusal(const pg_result* result, Phase phase, const CallLimits& limits) {
  auto error = postgres_error(result, phase, limits);
  if (error.error_class() == "sqlstate:0A000") prepared_.clear();
  return error;
}

StepResult<ResultOwner> PostgresConnectionImpl::only_result(const CallLimits& limits, Phase phase) {
  ResultOwner last;
  std::optional<StepError> error;
  for (;;) {
    SP_TRY(auto result, session_.next_result(limits));
    if (!result) break;
    if (!is_good(result.get()) && !error) error = refusal(result.get(), phase, limits);
    last = std::move(result);
  }
  if (error) return std::unexpected(*std::move(error));
  if (!last) return std::unexpected(session_.broken("reading from the database"));
  return last;
}

StepResult<void> PostgresConnectionImpl::skip_results(const CallLimits& limits) {
  for (;;) {
    SP_TRY(const auto result, session_.next_result(limits));
    if (!result) return {};
  }
}

void PostgresConnectionImpl::watch_client(const CallLimits& limits) {
  watches_client_ = libpq().PQserverVersion(session_.get()) >= 140'000 &&
                    simple("set client_connection_check_interval = 1000", limits).has_value();
}

StepResult<void> PostgresConnectionImpl::simple(const std::string& text, const CallLimits& limits) {
  if (libpq().PQsendQuery(session_.get(), text.c_str()) == 0)
    return std::unexpected(session_.broken("sending to the database"));
  SP_CHECK(session_.flush(limits));
  SP_CHECK(only_result(limits));
  return {};
}

// A session in an unknown state is none: the pool opens another.
StepResult<void> PostgresConnectionImpl::reset(const CallLimits& limits) {
  prepared_.clear();
  inserts_.clear();
  auto done = simple("discard all", limits);
  if (done || !session_.is_alive()) return done;
  (void)session_.broken("clearing the session");
  return step_fail("connection", "clearing the session: " + done.error().message);
}

StepResult<void> PostgresConnectionImpl::begin(Access access, const CallLimits& limits) {
  if (std::exchange(used_, true)) SP_CHECK(reset(limits));
  savepoints_ = 0;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(limits.deadline - std::chrono::steady_clock::now());
  const auto ms = std::clamp<std::int64_t>(left.count(), 1, INT32_MAX);
  return simple(fmt::format("begin {}; set local statement_timeout = {}{}",
                            access == Access::read_only ? "read only" : "read write", ms,
                            watches_client_ ? "; set local client_connection_check_interval = 1000" : ""),
                limits);
}

// An error that the server reports and survives is an answer: nothing took effect. What ends the session may come
// before the commit or after it.
StepResult<void> PostgresConnectionImpl::commit(const CallLimits& limits) {
  if (!session_.is_alive()) return std::unexpected(session_.broken("committing"));
  auto done = simple("commit", limits);
  if (!done && !session_.is_alive()) done.error().classes = {"in_doubt", done.error().classes.back()};
  return done;
}

void PostgresConnectionImpl::rollback() noexcept {
  const auto state = libpq().PQtransactionStatus(session_.get());
  if (!session_.is_broken() && (state == PQTRANS_INTRANS || state == PQTRANS_INERROR)) {
    (void)simple("rollback", CallLimits{std::chrono::steady_clock::now() + kRollbackLimit, {}});
  }
}

// The policy has read the statements of this transaction in the light of these two settings; an earlier one of them may
// have changed either.
StepResult<void> PostgresConnectionImpl::check_lexis() {
  for (const auto [name, value] : {std::pair{"standard_conforming_strings", "on"}, {"client_encoding", "UTF8"}}) {
    const char* now = libpq().PQparameterStatus(session_.get(), name);
    if (now == nullptr || std::string_view(now) != value)
      return step_fail("invalid", fmt::format("{} is not {} in this session; no statement may change it", name, value));
  }
  return {};
}

StepResult<PostgresConnectionImpl::Prepared*> PostgresConnectionImpl::prepare(const Statement& statement,
                                                                              const CallLimits& limits) {
  if (const auto it = prepared_.find(statement.text); it != prepared_.end()) return &it->second;
  SP_CHECK(check_lexis());
  auto name = fmt::format("s{}", next_name_++);
  if (libpq().PQsendPrepare(session_.get(), name.c_str(), statement.text.c_str(), 0, nullptr) == 0)
    return std::unexpected(session_.broken("sending to the database"));
  SP_CHECK(session_.flush(limits));
  SP_CHECK(only_result(limits, Phase::prepare));
  return &prepared_.emplace(statement.text, Prepared{std::move(name)}).first->second;
}

StepResult<const PostgresConnectionImpl::Description*> PostgresConnectionImpl::describe(Prepared& prepared,
                                                                                        const CallLimits& limits) {
  if (prepared.description) return &*prepared.description;
  if (libpq().PQsendDescribePrepared(session_.get(), prepared.name.c_str()) == 0)
    return std::unexpected(session_.broken("sending to the database"));
  SP_CHECK(session_.flush(limits));
  SP_TRY(const auto described, only_result(limits, Phase::prepare));
  auto& description = prepared.description.emplace();
  for (int i = 0; i < libpq().PQnparams(described.get()); ++i)
    description.types.push_back(libpq().PQparamtype(described.get(), i));
  description.returns_rows = libpq().PQnfields(described.get()) > 0;
  return &description;
}

// Where the server expects something else than bytes it would take theirs for it, or their text form for a text.
std::optional<std::size_t> PostgresConnectionImpl::misplaced_bytes(const Description& description,
                                                                   const ValueList& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool wanted = i < description.types.size() && description.types[i] == kByteaType;
    if (values[i].is(Value::Kind::bytes) && !wanted) return i;
  }
  return std::nullopt;
}

StepResult<void> PostgresConnectionImpl::check_bytes(Prepared& prepared, const Statement& statement,
                                                     const ValueList& parameters, const CallLimits& limits) {
  if (std::ranges::none_of(parameters, [](const auto& value) { return value.is(Value::Kind::bytes); })) return {};
  SP_TRY(const auto* description, describe(prepared, limits));
  const auto misplaced = misplaced_bytes(*description, parameters);
  if (!misplaced) return {};
  const auto& name = statement.parameters[*misplaced];
  return step_fail("invalid", fmt::format("the parameter :{} is bytes, and the statement wants another type there: "
                                          "write :{}::bytea, or give it as text (base64.encode())",
                                          name, name));
}

StepResult<void> PostgresConnectionImpl::put(Prepared& prepared, const Statement& statement,
                                             const ValueList& parameters, const CallLimits& limits) {
  SP_CHECK(check_bytes(prepared, statement, parameters, limits));
  const PostgresParameters given(parameters);
  if (const auto at = given.with_nul()) {
    return step_fail("invalid", fmt::format("the parameter :{} holds a NUL character, which PostgreSQL cannot store",
                                            statement.parameters[*at]));
  }
  if (libpq().PQsendQueryPrepared(session_.get(), prepared.name.c_str(), given.count(), given.pointers(),
                                  given.lengths(), given.formats(), 0) == 0) {
    return std::unexpected(session_.broken("sending to the database"));
  }
  return {};
}

StepResult<void> PostgresConnectionImpl::send(const Statement& statement, const ValueList& parameters,
                                              const CallLimits& limits) {
  SP_TRY(auto* prepared, prepare(statement, limits));
  SP_CHECK(put(*prepared, statement, parameters, limits));
  return session_.flush(limits);
}

// Hands each result of the statement that was sent to `take`: one for every row, and a last one without rows. Gives the
// number of rows changed. After an error of `take` the rest is still to come, so the session is not usable again.
template <class Take>
StepResult<std::int64_t> PostgresConnectionImpl::take_results(const CallLimits& limits, Take take) {
  if (libpq().PQsetSingleRowMode(session_.get()) == 0)
    return std::unexpected(session_.broken("reading from the database"));
  std::optional<std::int64_t> changed;
  for (;;) {
    SP_TRY(const auto result, session_.next_result(limits));
    if (!result) break;
    if (!is_good(result.get())) {
      auto error = refusal(result.get(), Phase::run, limits);
      SP_CHECK(skip_results(limits));
      return std::unexpected(std::move(error));
    }
    SP_CHECK(take(result.get()));
    changed = rows_changed(result.get());
  }
  if (!changed) return std::unexpected(session_.broken("reading from the database"));
  return *changed;
}

StepResult<std::int64_t> PostgresConnectionImpl::execute(const Statement& statement, const ValueList& parameters,
                                                         DroppedRows& dropped, const CallLimits& limits) {
  SP_CHECK(send(statement, parameters, limits));
  return take_results(limits, [&](const PGresult* result) -> StepResult<void> {
    return libpq().PQntuples(result) == 0 ? StepResult<void>() : dropped.drop(row_bytes(result));
  });
}

// Asked once in a transaction. A server that does not know the question is no reason to fail.
StepResult<const PlainInsert*> PostgresConnectionImpl::copyable(const Statement& statement, const CallLimits& limits) {
  auto known = inserts_.find(statement.text);
  if (known == inserts_.end()) {
    auto insert = plain_insert(statement);
    if (insert) {
      struct Counted final : RowSink {
        StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
        StepResult<void> row(ValueList) override { return ++rows, StepResult<void>(); }
        std::size_t rows = 0;
      } same;
      SP_CHECK(simple(kSetSavepoint, limits));
      const auto asked = query({std::string(kCopyIsInsert), {"table"}}, {Value(insert->table)}, same, limits);
      if (!asked && !session_.is_alive()) return std::unexpected(asked.error());
      SP_CHECK(simple(asked ? kReleaseSavepoint : kBackToSavepoint, limits));
      if (!asked || same.rows == 0) insert.reset();
    }
    known = inserts_.emplace(statement.text, std::move(insert)).first;
  }
  return known->second ? &*known->second : nullptr;
}

// The first of a transaction within savepoints, so that a pipeline can find the row that the server refuses. Nothing:
// they are for a pipeline.
StepResult<std::optional<std::int64_t>> PostgresConnectionImpl::copy(const Statement& statement,
                                                                     const Description& description,
                                                                     std::span<const ValueList> sets,
                                                                     const CallLimits& limits) {
  if (sets.size() < kWorthACopy) return std::nullopt;
  SP_TRY(const auto* insert, copyable(statement, limits));
  if (insert == nullptr) return std::nullopt;
  std::string rows;
  for (const auto& set : sets) {
    if (misplaced_bytes(description, set) || !append_copy_row(rows, *insert, set)) return std::nullopt;
  }
  const bool can_go_back = savepoints_ < kMostSavepoints;
  if (can_go_back) SP_CHECK(simple(kSetSavepoint, limits));
  if (can_go_back) ++savepoints_;
  auto copied = put_copy(*insert, rows, limits);
  if (!copied && !session_.is_alive()) return std::unexpected(std::move(copied).error());
  if (!copied && !(can_go_back && may_be_of_a_row(copied.error())))
    return std::unexpected(of_some_row(std::move(copied).error(), sets.size()));
  if (can_go_back) SP_CHECK(simple(copied ? kReleaseSavepoint : kBackToSavepoint, limits));
  return copied ? std::optional(*copied) : std::nullopt;
}

StepResult<std::int64_t> PostgresConnectionImpl::put_copy(const PlainInsert& insert, const std::string& rows,
                                                          const CallLimits& limits) {
  const auto text = fmt::format("copy {} ({}) from stdin", insert.table, insert.columns);
  if (libpq().PQsendQuery(session_.get(), text.c_str()) == 0)
    return std::unexpected(session_.broken("sending to the database"));
  SP_CHECK(session_.flush(limits));
  SP_TRY(const auto ready, session_.next_result(limits));
  if (libpq().PQresultStatus(ready.get()) != PGRES_COPY_IN) {
    SP_CHECK(skip_results(limits));
    return std::unexpected(refusal(ready.get(), Phase::run, limits));
  }
  if (libpq().PQputCopyData(session_.get(), rows.data(), static_cast<int>(rows.size())) != 1 ||
      libpq().PQputCopyEnd(session_.get(), nullptr) != 1)
    return std::unexpected(session_.broken("sending to the database"));
  SP_CHECK(session_.flush(limits));
  SP_TRY(const auto done, only_result(limits));
  return rows_changed(done.get());
}

// A set that cannot be sent ends the pipeline before it: `sent` counts the others.
StepResult<void> PostgresConnectionImpl::put_pipeline(Prepared& prepared, const Statement& statement,
                                                      std::span<const ValueList> sets, std::size_t& sent,
                                                      const CallLimits& limits) {
  const auto lost = [this] { return std::unexpected(session_.broken("sending to the database")); };
  if (libpq().PQenterPipelineMode(session_.get()) == 0) return lost();
  StepResult<void> given;
  for (sent = 0; sent < sets.size(); ++sent) {
    given = put(prepared, statement, sets[sent], limits);
    if (!given) break;
  }
  if (libpq().PQpipelineSync(session_.get()) == 0) return lost();
  SP_CHECK(session_.flush(limits));
  return given;
}

// The answers to `count` runs of a statement without rows. After one that failed the server passes over the rest.
StepResult<std::int64_t> PostgresConnectionImpl::take_pipeline(std::size_t count, std::size_t& done,
                                                               const CallLimits& limits) {
  std::int64_t affected = 0;
  std::optional<StepError> error;
  done = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (bool more = true; more;) {
      SP_TRY(const auto result, session_.next_result(limits));
      more = result != nullptr;
      if (!more || error) continue;
      if (!is_good(result.get())) {
        error = refusal(result.get(), Phase::run, limits);
      } else {
        affected += rows_changed(result.get());
        ++done;
      }
    }
  }
  SP_TRY(const auto end, session_.next_result(limits));
  if (libpq().PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC || libpq().PQexitPipelineMode(session_.get()) == 0)
    return std::unexpected(session_.broken("reading from the database"));
  if (error) return std::unexpected(*std::move(error));
  return affected;
}

StepResult<std::int64_t> PostgresConnectionImpl::execute_each(const Statement& statement,
                                                              std::span<const ValueList> sets, std::size_t& done,
                                                              DroppedRows& dropped, const CallLimits& limits) {
  done = 0;
  SP_TRY(auto* prepared, prepare(statement, limits));
  SP_TRY(const auto* described, describe(*prepared, limits));
  if (described->returns_rows) return Connection::execute_each(statement, sets, done, dropped, limits);
  const auto description = *described;
  SP_TRY(const auto copied, copy(statement, description, sets, limits));
  if (copied) {
    done = sets.size();
    return *copied;
  }
  SP_TRY(prepared, prepare(statement, limits));  // what was prepared may have been forgotten meanwhile
  std::size_t sent = 0;
  const auto given = put_pipeline(*prepared, statement, sets, sent, limits);
  if (!session_.is_alive()) return std::unexpected(given.error());
  auto affected = take_pipeline(sent, done, limits);
  if (affected && !given) return std::unexpected(given.error());
  return affected;
}

StepResult<void> PostgresConnectionImpl::query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                                               const CallLimits& limits) {
  SP_CHECK(send(statement, parameters, limits));
  std::uint64_t count = 0;
  bool begun = false;
  SP_CHECK(take_results(limits, [&](const PGresult* result) -> StepResult<void> {
    if (!std::exchange(begun, true)) SP_CHECK(sink.begin(column_names(result)));
    if (libpq().PQntuples(result) == 0) return {};
    SP_CHECK(check_row(++count, row_bytes(result)));
    return sink.row(read_row(result));
  }));
  return {};
}

bool PostgresConnectionImpl::is_usable() {
  return session_.is_usable() && libpq().PQconsumeInput(session_.get()) != 0 && session_.is_usable();
}

}  // namespace sallyport::connectors::sql
