#include "agent/connectors/sql/odbc_connection.h"

#include "agent/connectors/sql/odbc_error.h"
#include "agent/connectors/sql/utf16.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;
using policy::OdbcServer;

constexpr auto kRollbackLimit = 5s;
constexpr std::size_t kMostRows = 100;              // that are read at a time
constexpr std::uint64_t kEnoughBytes = 256u << 10;  // or so much

SQLULEN seconds_until(SteadyTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::seconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<SQLULEN>(std::clamp<std::int64_t>(left, 1, 7 * 86'400));
}

// How a call failed; what the driver says of a connection that is gone counts as that.
StepError refusal(const OdbcHandles& handles, SQLSMALLINT of, OdbcServer server, const CallLimits& limits) {
  auto* const handle = of == SQL_HANDLE_STMT ? handles.statement : handles.connection;
  auto error = odbc_error(complaint_of(of, handle), server, limits);
  SQLUINTEGER is_dead = SQL_CD_FALSE;
  libodbc().SQLGetConnectAttr(handles.connection, SQL_ATTR_CONNECTION_DEAD, &is_dead, 0, nullptr);
  if (is_dead == SQL_CD_TRUE) return {{"connection"}, "the connection to the database broke", {}};
  return error;
}

StepError refusal(const OdbcHandles& handles, OdbcServer server, const CallLimits& limits) {
  return refusal(handles, SQL_HANDLE_STMT, server, limits);
}

// The calls that follow run on the session's thread, and own what they use.

StepResult<void> prepare(OdbcHandles& handles, const std::string& text, OdbcServer server, const CallLimits& limits) {
  if (handles.statement != SQL_NULL_HANDLE && handles.text == text) {
    libodbc().SQLFreeStmt(handles.statement, SQL_CLOSE);
    return {};
  }
  handles.drop_statement();
  if (!SQL_SUCCEEDED(libodbc().SQLAllocHandle(SQL_HANDLE_STMT, handles.connection, &handles.statement)))
    return step_fail("connection", "the driver gives no statement");
  auto* const patience = odbc_number(seconds_until(limits.deadline));
  libodbc().SQLSetStmtAttr(handles.statement, SQL_ATTR_QUERY_TIMEOUT, patience, 0);
  auto wide = to_utf16(text);
  const auto length = static_cast<SQLINTEGER>(wide.size());
  if (!SQL_SUCCEEDED(libodbc().SQLPrepareW(handles.statement, wide.data(), length)))
    return std::unexpected(refusal(handles, server, limits));
  handles.text = text;
  return {};
}

// MariaDB's driver calls every parameter a text.
StepResult<void> describe(OdbcHandles& handles, std::size_t count, OdbcServer server, const CallLimits& limits) {
  if (handles.parameter_types.size() == count) return {};
  handles.parameter_types.assign(count, std::nullopt);
  for (std::size_t i = 0; i < count && server != OdbcServer::mysql; ++i) {
    OdbcType type{};
    SQLSMALLINT nullable = 0;
    const auto told = libodbc().SQLDescribeParam(handles.statement, static_cast<SQLUSMALLINT>(i + 1), &type.type,
                                                 &type.size, &type.digits, &nullable);
    if (SQL_SUCCEEDED(told)) handles.parameter_types[i] = type;
    if (!SQL_SUCCEEDED(told) && server == OdbcServer::postgres)
      return std::unexpected(refusal(handles, server, limits));
  }
  return {};
}

StepResult<void> check_parameter(const std::string& name, const Value& value, const std::optional<OdbcType>& type,
                                 OdbcServer server) {
  if (value.is(Value::Kind::string) && value.as_string().contains('\0'))
    return step_fail("invalid", fmt::format("the parameter :{} holds a NUL character, which ODBC cannot carry", name));
  if (value.is(Value::Kind::bytes) && type && server == OdbcServer::postgres && !is_binary(type->type))
    return step_fail("invalid",
                     fmt::format("the parameter :{} is bytes, and the statement wants another type there", name));
  return {};
}

StepResult<void> run_once(OdbcHandles& handles, const Statement& statement, const ValueList& parameters,
                          OdbcServer server, const CallLimits& limits) {
  SP_CHECK(prepare(handles, statement.text, server, limits));
  SP_CHECK(describe(handles, parameters.size(), server, limits));
  OdbcParameters given(server);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& type = handles.parameter_types[i];
    SP_CHECK(check_parameter(statement.parameters[i], parameters[i], type, server));
    if (!given.bind(handles.statement, static_cast<SQLUSMALLINT>(i + 1), parameters[i], type))
      return std::unexpected(refusal(handles, server, limits));
  }
  const auto done = libodbc().SQLExecute(handles.statement);
  const bool good = SQL_SUCCEEDED(done) || done == SQL_NO_DATA;
  auto error = good ? StepError{} : refusal(handles, server, limits);
  libodbc().SQLFreeStmt(handles.statement, SQL_RESET_PARAMS);
  if (!good) return std::unexpected(std::move(error));
  return {};
}

std::vector<std::string> names_of(const std::vector<OdbcColumn>& columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const auto& column : columns) names.push_back(column.name);
  return names;
}

// What a server answers with to say no to a commit; anything else may have come after it.
bool is_a_no(const StepError& error) {
  return error.error_class().starts_with("sqlstate:40") || error.error_class().starts_with("sqlstate:23");
}

}  // namespace

class OdbcConnectionImpl::Dropping final : public Taker {
 public:
  explicit Dropping(DroppedRows& dropped) : dropped_(dropped) {}
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(OdbcRow row) override { return dropped_.drop(row.bytes); }

 private:
  DroppedRows& dropped_;
};

class OdbcConnectionImpl::Giving final : public Taker {
 public:
  explicit Giving(RowSink& sink) : sink_(sink) {}
  StepResult<void> begin(const std::vector<std::string>& columns) override { return sink_.begin(columns); }
  StepResult<void> row(OdbcRow row) override { return sink_.row(std::move(row.values)); }

 private:
  RowSink& sink_;
};

StepResult<void> OdbcConnectionImpl::begin(Access access, const CallLimits& limits) {
  used_ = true;
  access_ = access;
  if (std::exchange(open_, true)) SP_CHECK(end(SQL_ROLLBACK, limits));
  const std::string mode = access == Access::read_only ? "read only" : "read write";
  std::string text;
  if (server_ == OdbcServer::postgres) text = "set transaction " + mode;
  if (server_ == OdbcServer::mysql) text = "set session transaction " + mode;
  if (text.empty()) return {};
  SP_CHECK(execute_own(Statement{text, {}}, {}, limits));
  return server_ == OdbcServer::mysql ? end(SQL_ROLLBACK, limits) : StepResult<void>();
}

StepResult<void> OdbcConnectionImpl::end(SQLSMALLINT how, const CallLimits& limits) {
  const auto server = server_;
  return session_->run<void>(limits, [how, server, limits](OdbcHandles& handles) -> StepResult<void> {
    if (handles.statement != SQL_NULL_HANDLE) libodbc().SQLFreeStmt(handles.statement, SQL_CLOSE);
    if (SQL_SUCCEEDED(libodbc().SQLEndTran(SQL_HANDLE_DBC, handles.connection, how))) return {};
    return std::unexpected(refusal(handles, SQL_HANDLE_DBC, server, limits));
  });
}

StepResult<void> OdbcConnectionImpl::commit(const CallLimits& limits) {
  if (!session_->is_alive()) return std::unexpected(session_->lost(limits));
  auto done = end(access_ == Access::read_only ? SQL_ROLLBACK : SQL_COMMIT, limits);
  if (done) open_ = false;
  if (!done && access_ == Access::read_write && !is_a_no(done.error()))
    done.error().classes = {"in_doubt", done.error().classes.back()};
  return done;
}

void OdbcConnectionImpl::rollback() noexcept {
  if (std::exchange(open_, false) && session_->is_alive())
    (void)end(SQL_ROLLBACK, CallLimits{std::chrono::steady_clock::now() + kRollbackLimit, {}});
}

StepResult<bool> OdbcConnectionImpl::has_transactions(const CallLimits& limits) {
  return session_->run<bool>(limits, [](OdbcHandles& handles) -> StepResult<bool> {
    SQLUSMALLINT capable = SQL_TC_NONE;
    const auto told = libodbc().SQLGetInfoW(handles.connection, SQL_TXN_CAPABLE, &capable, sizeof capable, nullptr);
    return SQL_SUCCEEDED(told) && capable != SQL_TC_NONE;
  });
}

StepResult<std::string> OdbcConnectionImpl::server_name(const CallLimits& limits) {
  return session_->run<std::string>(
      limits, [](OdbcHandles& handles) -> StepResult<std::string> { return handles.server_name(); });
}

StepResult<OdbcConnectionImpl::Given> OdbcConnectionImpl::start(const Statement& statement, const ValueList& parameters,
                                                                const CallLimits& limits) {
  const auto server = server_;
  return session_->run<Given>(limits,
                              [statement, parameters, server, limits](OdbcHandles& handles) -> StepResult<Given> {
                                SP_CHECK(run_once(handles, statement, parameters, server, limits));
                                return look_at_result(handles, server, limits);
                              });
}

StepResult<OdbcConnectionImpl::Given> OdbcConnectionImpl::look_at_result(OdbcHandles& handles, OdbcServer server,
                                                                         const CallLimits& limits) {
  auto columns = describe_columns(handles.statement, server);
  if (!columns) return std::unexpected(refusal(handles, server, limits));
  handles.columns = *std::move(columns);
  Given given{names_of(handles.columns), 0};
  SQLLEN changed = 0;
  if (given.columns.empty() && SQL_SUCCEEDED(libodbc().SQLRowCount(handles.statement, &changed)))
    given.changed = std::max<SQLLEN>(changed, 0);
  return given;
}

StepResult<OdbcConnectionImpl::Fetched> OdbcConnectionImpl::fetch(const CallLimits& limits) {
  const auto server = server_;
  const auto before = fetched_;
  return session_->run<Fetched>(limits, [server, before, limits](OdbcHandles& handles) -> StepResult<Fetched> {
    Fetched some;
    for (std::uint64_t bytes = 0; some.rows.size() < kMostRows && bytes < kEnoughBytes;
         bytes += some.rows.back().bytes) {
      const auto got = libodbc().SQLFetch(handles.statement);
      some.at_end = got == SQL_NO_DATA;
      if (some.at_end) return some;
      if (!SQL_SUCCEEDED(got)) return std::unexpected(refusal(handles, server, limits));
      auto row = read_row(handles.statement, handles.columns, kMaxRow);
      const bool too_large = !row && row.error().error_class() == "too_large";
      if (too_large || (row && *row && (*row)->bytes > kMaxRow))
        SP_CHECK(check_row(before + some.rows.size() + 1, UINT64_MAX));
      if (!row) return std::unexpected(std::move(row).error());
      if (!*row) return std::unexpected(refusal(handles, server, limits));
      some.rows.push_back(**std::move(row));
    }
    return some;
  });
}

StepResult<std::optional<OdbcConnectionImpl::Given>> OdbcConnectionImpl::next_result(const CallLimits& limits) {
  const auto server = server_;
  using Next = std::optional<Given>;
  return session_->run<Next>(limits, [server, limits](OdbcHandles& handles) -> StepResult<Next> {
    const auto more = libodbc().SQLMoreResults(handles.statement);
    if (more == SQL_NO_DATA) return std::nullopt;
    if (!SQL_SUCCEEDED(more)) return std::unexpected(refusal(handles, server, limits));
    SP_TRY(auto given, look_at_result(handles, server, limits));
    return Next(std::move(given));
  });
}

StepResult<void> OdbcConnectionImpl::take_rows(Taker& taker, const CallLimits& limits) {
  for (fetched_ = 0;;) {
    SP_TRY(auto some, fetch(limits));
    fetched_ += some.rows.size();
    for (auto& row : some.rows) SP_CHECK(taker.row(std::move(row)));
    if (some.at_end) return {};
  }
}

// Gives what the last result tells that has no rows.
StepResult<std::int64_t> OdbcConnectionImpl::take(const Statement& statement, const ValueList& parameters, Taker& taker,
                                                  const CallLimits& limits) {
  SP_TRY(auto first, start(statement, parameters, limits));
  std::int64_t changed = 0;
  for (std::optional<Given> given = std::move(first); given;) {
    if (given->columns.empty()) {
      changed = given->changed;
    } else {
      SP_CHECK(taker.begin(given->columns));
      SP_CHECK(take_rows(taker, limits));
    }
    SP_TRY(given, next_result(limits));
  }
  return changed;
}

StepResult<std::int64_t> OdbcConnectionImpl::execute(const Statement& statement, const ValueList& parameters,
                                                     DroppedRows& dropped, const CallLimits& limits) {
  Dropping dropping(dropped);
  return take(statement, parameters, dropping, limits);
}

StepResult<std::int64_t> OdbcConnectionImpl::execute_own(const Statement& statement, const ValueList& parameters,
                                                         const CallLimits& limits) {
  DroppedRows dropped;
  return execute(statement, parameters, dropped, limits);
}

StepResult<void> OdbcConnectionImpl::query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                                           const CallLimits& limits) {
  Giving giving(sink);
  SP_CHECK(take(statement, parameters, giving, limits));
  return {};
}

}  // namespace sallyport::connectors::sql
