#include "agent/connectors/sql/odbc_error.h"

#include "agent/connectors/sql/mysql_error.h"
#include "agent/connectors/sql/postgres_error.h"
#include "agent/connectors/sql/utf16.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::sql {
namespace {

using policy::OdbcServer;

constexpr std::string_view kRefused = "the server refused the statement or a value";
constexpr std::array<std::string_view, 3> kInterrupted{"HY008", "HYT00", "HYT01"};

StepError interrupted(const CallLimits& limits) {
  if (limits.stop.stop_requested()) return {{"cancelled"}, "stopped", {}};
  return {{"timeout"}, "the statement did not end in time", {}};
}

}  // namespace

OdbcComplaint complaint_of(SQLSMALLINT type, SQLHANDLE handle) {
  std::array<SQLWCHAR, 6> state{};
  std::array<SQLWCHAR, 512> text{};
  SQLINTEGER code = 0;
  SQLSMALLINT length = 0;
  const auto got = libodbc().SQLGetDiagRecW(type, handle, 1, state.data(), &code, text.data(),
                                            static_cast<SQLSMALLINT>(text.size()), &length);
  if (!SQL_SUCCEEDED(got)) return {"HY000", 0, "the driver does not say why"};
  const auto shown = std::min<std::size_t>(static_cast<std::size_t>(std::max<SQLSMALLINT>(length, 0)), text.size() - 1);
  return {from_utf16(state.data(), 5).value_or("HY000"), code, from_utf16(text.data(), shown).value_or("")};
}

StepError odbc_error(const OdbcComplaint& complaint, OdbcServer server, const CallLimits& limits) {
  if (std::ranges::find(kInterrupted, complaint.sqlstate) != kInterrupted.end()) return interrupted(limits);
  if (server == OdbcServer::mysql && complaint.code > 0) {
    const auto code = static_cast<unsigned>(complaint.code);
    if (is_of_the_client(code)) return {{"connection"}, "the connection to the database broke", {}};
    return mysql_error({code, complaint.sqlstate, kRefused}, Phase::run, limits);
  }
  auto error = sqlstate_error(complaint.sqlstate, kRefused, Phase::run, limits);
  if (server == OdbcServer::other && complaint.code != 0)
    error.message += fmt::format(", the server's code {}", complaint.code);
  return error;
}

StepError odbc_connection_error(const OdbcComplaint& complaint, std::string_view doing, std::string_view password) {
  const bool tells_password = !password.empty() && complaint.text.contains(password);
  const auto message = fmt::format(
      "{}: {} (SQLSTATE {})", doing,
      tells_password ? "the driver's text is withheld, it has the password in it" : complaint.text, complaint.sqlstate);
  const bool refused = complaint.sqlstate.starts_with("28") || complaint.text.contains("authentication failed") ||
                       complaint.text.contains("Access denied") || complaint.text.contains("Login failed");
  if (refused) return {{"sqlstate:28000", "permission"}, message, {}};
  const bool no_database = complaint.sqlstate == "3D000" || complaint.text.contains("Unknown database") ||
                           (complaint.text.contains("database \"") && complaint.text.contains("does not exist"));
  if (no_database) return {{"sqlstate:3D000", "not_found"}, message, {}};
  return {{"connection"}, message, {}};
}

}  // namespace sallyport::connectors::sql
