#include "agent/connectors/sql/postgres_session.h"

#include "agent/connectors/sql/libpq.h"
#include "agent/connectors/sql/postgres_error.h"
#include "agent/platform/socket_wait.h"

#include <algorithm>
#include <chrono>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kSlice = 50ms;          // how late a stop may be noticed
constexpr auto kServersOwnLimit = 1s;  // the server's statement_timeout comes first

}  // namespace

void FreeConnection::operator()(pg_conn* connection) const { libpq().PQfinish(connection); }
void FreeResult::operator()(pg_result* result) const { libpq().PQclear(result); }

StepError PostgresSession::broken(std::string_view doing) {
  broken_ = true;
  return broken_session_error(connection_.get(), doing);
}

bool PostgresSession::is_alive() const { return !broken_ && libpq().PQstatus(connection_.get()) == CONNECTION_OK; }

bool PostgresSession::is_usable() const {
  return is_alive() && libpq().PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

StepError PostgresSession::interrupt(const CallLimits& limits) {
  broken_ = true;
  if (limits.stop.stop_requested()) return StepError{{"cancelled"}, "stopped", {}};
  return StepError{{"timeout"}, "the statement did not end in time", {}};
}

StepResult<void> PostgresSession::wait(For what, const CallLimits& limits) {
  const auto give_up = limits.deadline + kServersOwnLimit;
  for (;;) {
    if (limits.stop.stop_requested() || Clock::now() >= give_up) return std::unexpected(interrupt(limits));
    const auto slice = std::min<Clock::duration>(kSlice, give_up - Clock::now());
    const auto need = what == For::writing ? platform::SocketNeed::either : platform::SocketNeed::reading;
    switch (platform::wait_for_socket(libpq().PQsocket(connection_.get()), need, slice)) {
      case platform::SocketState::ready: return {};
      case platform::SocketState::failed: return std::unexpected(broken("waiting for the database"));
      case platform::SocketState::not_yet: break;
    }
  }
}

StepResult<void> PostgresSession::flush(const CallLimits& limits) {
  for (;;) {
    const int left = libpq().PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0) return std::unexpected(broken("sending to the database"));
    SP_CHECK(wait(For::writing, limits));
    if (libpq().PQconsumeInput(connection_.get()) == 0) return std::unexpected(broken("sending to the database"));
  }
}

StepResult<ResultOwner> PostgresSession::next_result(const CallLimits& limits) {
  while (libpq().PQisBusy(connection_.get()) != 0) {
    SP_CHECK(wait(For::reading, limits));
    if (libpq().PQconsumeInput(connection_.get()) == 0) return std::unexpected(broken("reading from the database"));
  }
  return ResultOwner(libpq().PQgetResult(connection_.get()));
}

}  // namespace sallyport::connectors::sql
