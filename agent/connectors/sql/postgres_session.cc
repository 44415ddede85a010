#include "agent/connectors/sql/postgres_session.h"

#include "agent/connectors/sql/postgres_error.h"

#include <libpq-fe.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kSlice = 50ms;          // how late a stop may be noticed
constexpr auto kServersOwnLimit = 1s;  // the server's statement_timeout comes first

enum class Ready { yes, no, failed };

Ready poll_socket(int socket, short events, Clock::duration limit) {
  pollfd fd{socket, events, 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(limit, Clock::duration::zero())).count();
  const int ready = ::poll(&fd, 1, static_cast<int>(ms));
  if (ready < 0) return errno == EINTR ? Ready::no : Ready::failed;
  return ready > 0 ? Ready::yes : Ready::no;
}

}  // namespace

void FreeConnection::operator()(pg_conn* connection) const { PQfinish(connection); }
void FreeResult::operator()(pg_result* result) const { PQclear(result); }

StepError PostgresSession::broken(std::string_view doing) {
  broken_ = true;
  return broken_session_error(connection_.get(), doing);
}

bool PostgresSession::is_alive() const { return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK; }

bool PostgresSession::is_usable() const { return is_alive() && PQtransactionStatus(connection_.get()) == PQTRANS_IDLE; }

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
    const short events = what == For::writing ? POLLIN | POLLOUT : POLLIN;
    switch (poll_socket(PQsocket(connection_.get()), events, slice)) {
      case Ready::yes: return {};
      case Ready::failed: return std::unexpected(broken("waiting for the database"));
      case Ready::no: break;
    }
  }
}

StepResult<void> PostgresSession::flush(const CallLimits& limits) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0) return std::unexpected(broken("sending to the database"));
    SP_CHECK(wait(For::writing, limits));
    if (PQconsumeInput(connection_.get()) == 0) return std::unexpected(broken("sending to the database"));
  }
}

StepResult<ResultOwner> PostgresSession::next_result(const CallLimits& limits) {
  while (PQisBusy(connection_.get()) != 0) {
    SP_CHECK(wait(For::reading, limits));
    if (PQconsumeInput(connection_.get()) == 0) return std::unexpected(broken("reading from the database"));
  }
  return ResultOwner(PQgetResult(connection_.get()));
}

}  // namespace sallyport::connectors::sql
