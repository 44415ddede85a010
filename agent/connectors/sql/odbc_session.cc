#include "agent/connectors/sql/odbc_session.h"

#include "agent/connectors/sql/utf16.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kServersOwnLimit = 1s;  // the driver's own time-out comes first
constexpr auto kPatience = 1s;         // with a call that was cancelled, and with closing

}  // namespace

void OdbcHandles::drop_statement() {
  const std::lock_guard lock(freeing_);
  if (statement != SQL_NULL_HANDLE) libodbc().SQLFreeHandle(SQL_HANDLE_STMT, statement);
  statement = SQL_NULL_HANDLE;
  text.clear();
  parameter_types.clear();
  columns.clear();
}

void OdbcHandles::cancel() {
  const std::lock_guard lock(freeing_);
  if (statement != SQL_NULL_HANDLE) libodbc().SQLCancel(statement);
}

std::string OdbcHandles::server_name() const {
  std::array<SQLWCHAR, 128> name{};
  SQLSMALLINT bytes = 0;
  libodbc().SQLGetInfoW(connection, SQL_DBMS_NAME, name.data(), static_cast<SQLSMALLINT>(sizeof(name)), &bytes);
  const auto length = std::min<std::size_t>(static_cast<std::size_t>(std::max<SQLSMALLINT>(bytes, 0)) / 2, name.size());
  return from_utf16(name.data(), length).value_or("");
}

OdbcHandles::~OdbcHandles() {
  drop_statement();
  if (is_connected) {
    libodbc().SQLEndTran(SQL_HANDLE_DBC, connection, SQL_ROLLBACK);  // or SQLDisconnect refuses
    libodbc().SQLDisconnect(connection);
  }
  if (connection != SQL_NULL_HANDLE) libodbc().SQLFreeHandle(SQL_HANDLE_DBC, connection);
  if (environment != SQL_NULL_HANDLE) libodbc().SQLFreeHandle(SQL_HANDLE_ENV, environment);
}

// Closing may hang as well: it is the thread's last call.
OdbcSession::~OdbcSession() {
  if (thread_.is_busy()) return;
  thread_.start([last = std::move(handles_)]() mutable { last.reset(); });
  thread_.wait(Clock::now() + kPatience, {});
}

bool OdbcSession::is_over(const CallLimits& limits) {
  return limits.stop.stop_requested() || Clock::now() >= limits.deadline;
}

StepError OdbcSession::interrupted(const CallLimits& limits) {
  if (limits.stop.stop_requested()) return StepError{{"cancelled"}, "stopped", {}};
  return StepError{{"timeout"}, "the database did not answer in time", {}};
}

StepError OdbcSession::lost(const CallLimits& limits) const {
  if (interrupted_) return interrupted(limits);
  return {{"connection"}, "the connection to the database is lost", {}};
}

bool OdbcSession::finish(std::function<void()> call, const CallLimits& limits) {
  thread_.start(std::move(call));
  if (thread_.wait(limits.deadline + kServersOwnLimit, limits.stop)) return true;
  broken_ = interrupted_ = true;
  std::thread([handles = handles_] { handles->cancel(); }).detach();  // which may hang too
  return thread_.wait(Clock::now() + kPatience, {});
}

}  // namespace sallyport::connectors::sql
