#include "agent/connectors/sql/mysql_session.h"

#include "agent/connectors/sql/libmariadb.h"
#include "agent/connectors/sql/mysql_error.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include <errmsg.h>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kSlice = 50ms;          // how late a stop may be noticed
constexpr auto kServersOwnLimit = 1s;  // the server's own limit for statements comes first
constexpr unsigned kTooLarge = 1;      // of NET::error; a socket that failed is 2
constexpr int kSocketEvents = MYSQL_WAIT_READ | MYSQL_WAIT_WRITE;

MysqlComplaint complaint_of(st_mysql* connection) {
  return {libmariadb().mysql_errno(connection), libmariadb().mysql_sqlstate(connection),
          libmariadb().mysql_error(connection)};
}

platform::SocketNeed need_of(int events) {
  if ((events & kSocketEvents) == kSocketEvents) return platform::SocketNeed::either;
  return (events & MYSQL_WAIT_WRITE) != 0 ? platform::SocketNeed::writing : platform::SocketNeed::reading;
}

}  // namespace

void FreeMysql::operator()(st_mysql* connection) const { libmariadb().mysql_close(connection); }
void FreeMysqlStatement::operator()(st_mysql_stmt* statement) const { libmariadb().mysql_stmt_close(statement); }

void MysqlSession::cut() {
  broken_ = true;
  libmariadb().mariadb_cancel(get());
}

StepError MysqlSession::broken(std::string_view doing) {
  const bool was_cut = broken_;
  cut();
  const bool lost = was_cut || libmariadb().mysql_errno(get()) == 0;
  return {{"connection"},
          fmt::format("{}: {}", doing, lost ? "the connection is lost" : libmariadb().mysql_error(get())),
          {}};
}

StepError MysqlSession::interrupt(const CallLimits& limits) {
  cut();
  if (limits.stop.stop_requested()) return StepError{{"cancelled"}, "stopped", {}};
  return StepError{{"timeout"}, "the statement did not end in time", {}};
}

StepError MysqlSession::refusal(const CallLimits& limits) {
  const auto complaint = complaint_of(get());
  if (is_of_the_client(complaint.code)) return broken("talking to the database");
  return mysql_error(complaint, Phase::run, limits);
}

// While rows are fetched, the library leaves what went wrong with the connection.
StepError MysqlSession::refusal(st_mysql_stmt* statement, Phase phase, const CallLimits& limits) {
  MysqlComplaint complaint{libmariadb().mysql_stmt_errno(statement), libmariadb().mysql_stmt_sqlstate(statement),
                           libmariadb().mysql_stmt_error(statement)};
  if (complaint.code == 0) complaint = complaint_of(get());
  if (!is_of_the_client(complaint.code)) return mysql_error(complaint, phase, limits);
  const bool refused_to_hold = complaint.code == CR_SERVER_LOST && get()->net.error == kTooLarge;
  if (refused_to_hold || complaint.code == CR_NET_PACKET_TOO_LARGE)
    return cut(), StepError{{"too_large"}, "a row is too large", {}};
  return broken("reading from the database");
}

StepResult<int> MysqlSession::wait(int events, const CallLimits& limits) {
  const auto give_up = limits.deadline + kServersOwnLimit;
  const bool timed = (events & MYSQL_WAIT_TIMEOUT) != 0;
  const auto librarys = Clock::now() + std::chrono::milliseconds(libmariadb().mysql_get_timeout_value_ms(get()));
  for (;;) {
    const auto now = Clock::now();
    if (limits.stop.stop_requested() || now >= give_up) return std::unexpected(interrupt(limits));
    if (timed && now >= librarys) return MYSQL_WAIT_TIMEOUT;
    const auto slice = std::min<Clock::duration>(kSlice, give_up - now);
    switch (platform::wait_for_socket(libmariadb().mysql_get_socket(get()), need_of(events), slice)) {
      case platform::SocketState::ready: return events & kSocketEvents;
      case platform::SocketState::failed: return std::unexpected(broken("waiting for the database"));
      case platform::SocketState::not_yet: break;
    }
  }
}

// A call that is given up is brought to its end all the same, on a socket that is cut off: what it holds on a stack of
// its own is not lost.
template <class Start, class Go>
StepResult<void> MysqlSession::finish(const CallLimits& limits, Start start, Go go) {
  if (broken_) return std::unexpected(broken("talking to the database"));
  for (int events = start(); events != 0;) {
    const auto came = wait(events, limits);
    if (!came) {
      for (int left = 1000; events != 0 && left > 0; --left) events = go(events | MYSQL_WAIT_TIMEOUT);
      return std::unexpected(came.error());
    }
    events = go(*came);
  }
  return {};
}

StepResult<void> MysqlSession::connect(const MysqlLogin& login, std::string_view doing, const CallLimits& limits) {
  st_mysql* made = nullptr;
  const auto text = [](const std::string& value) { return value.empty() ? nullptr : value.c_str(); };
  auto done = finish(
      limits,
      [&] {
        return libmariadb().mysql_real_connect_start(&made, get(), text(login.host), login.user.c_str(),
                                                     login.password.c_str(), login.database.c_str(), login.port,
                                                     text(login.socket), login.flags);
      },
      [&](int events) { return libmariadb().mysql_real_connect_cont(&made, get(), events); });
  if (!done && done.error().error_class() == "timeout")
    return step_fail("connection", fmt::format("{}: the server did not answer in time", doing));
  SP_CHECK(std::move(done));
  if (made != nullptr) return {};
  cut();
  return std::unexpected(mysql_connection_error(complaint_of(get()), doing));
}

StepResult<void> MysqlSession::simple(const std::string& text, const CallLimits& limits) {
  int failed = 0;
  SP_CHECK(finish(
      limits, [&] { return libmariadb().mysql_real_query_start(&failed, get(), text.data(), text.size()); },
      [&](int events) { return libmariadb().mysql_real_query_cont(&failed, get(), events); }));
  if (failed != 0) return std::unexpected(refusal(limits));
  return {};
}

StepResult<void> MysqlSession::reset(const CallLimits& limits) {
  int failed = 0;
  SP_CHECK(finish(
      limits, [&] { return libmariadb().mysql_reset_connection_start(&failed, get()); },
      [&](int events) { return libmariadb().mysql_reset_connection_cont(&failed, get(), events); }));
  if (failed != 0) return std::unexpected(broken("clearing the session"));
  return {};
}

StepResult<MysqlStatementOwner> MysqlSession::prepare(const std::string& text, const CallLimits& limits) {
  MysqlStatementOwner statement(libmariadb().mysql_stmt_init(get()));
  if (!statement) return step_fail("internal", "out of memory");
  int failed = 0;
  SP_CHECK(finish(
      limits, [&] { return libmariadb().mysql_stmt_prepare_start(&failed, statement.get(), text.data(), text.size()); },
      [&](int events) { return libmariadb().mysql_stmt_prepare_cont(&failed, statement.get(), events); }));
  if (failed != 0) return std::unexpected(refusal(statement.get(), Phase::prepare, limits));
  return statement;
}

StepResult<void> MysqlSession::execute(st_mysql_stmt* statement, const CallLimits& limits) {
  int failed = 0;
  SP_CHECK(finish(
      limits, [&] { return libmariadb().mysql_stmt_execute_start(&failed, statement); },
      [&](int events) { return libmariadb().mysql_stmt_execute_cont(&failed, statement, events); }));
  if (failed != 0) return std::unexpected(refusal(statement, Phase::run, limits));
  return {};
}

StepResult<MysqlSession::Fetched> MysqlSession::fetch(st_mysql_stmt* statement, const CallLimits& limits) {
  int outcome = 0;
  SP_CHECK(finish(
      limits, [&] { return libmariadb().mysql_stmt_fetch_start(&outcome, statement); },
      [&](int events) { return libmariadb().mysql_stmt_fetch_cont(&outcome, statement, events); }));
  if (outcome == MYSQL_NO_DATA) return Fetched::end;
  if (outcome == 0 || outcome == MYSQL_DATA_TRUNCATED) return Fetched::row;  // what is long is fetched by itself
  return std::unexpected(refusal(statement, Phase::run, limits));
}

StepResult<void> MysqlSession::next_result(st_mysql_stmt* statement, const CallLimits& limits) {
  int outcome = 0;
  SP_CHECK(finish(
      limits, [&] { return libmariadb().mysql_stmt_next_result_start(&outcome, statement); },
      [&](int events) { return libmariadb().mysql_stmt_next_result_cont(&outcome, statement, events); }));
  if (outcome > 0) return std::unexpected(refusal(statement, Phase::run, limits));
  return {};
}

bool MysqlSession::is_quiet() const {
  return platform::wait_for_socket(libmariadb().mysql_get_socket(get()), platform::SocketNeed::reading, 0ns) ==
         platform::SocketState::not_yet;
}

bool MysqlSession::is_in_transaction() const {
  unsigned status = 0;
  libmariadb().mariadb_get_infov(get(), MARIADB_CONNECTION_SERVER_STATUS, &status);
  return (status & SERVER_STATUS_IN_TRANS) != 0;
}

// Eight letters, of which the fifth stands for such a write (session_track_transaction_info).
bool MysqlSession::wrote_without_transaction() const {
  const char* state = nullptr;
  std::size_t length = 0;
  const bool told =
      libmariadb().mysql_session_track_get_first(get(), SESSION_TRACK_TRANSACTION_STATE, &state, &length) == 0;
  return told && std::string_view(state, length).contains('w');
}

}  // namespace sallyport::connectors::sql
