#include "agent/connectors/sql/odbc_connection.h"
#include "agent/connectors/sql/odbc_error.h"
#include "agent/connectors/sql/utf16.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>

namespace sallyport::connectors::sql {
namespace {

using policy::OdbcServer;
using Clock = std::chrono::steady_clock;

constexpr int kMostLeftBehind = 8;

// What is known of a server and of the driver that Debian has for it.
struct Known {
  OdbcServer server;
  std::string_view options;               // rows that stream, types that are exact, one statement in one text
  std::array<std::string_view, 2> names;  // SQL_DBMS_NAME
  std::array<std::string_view, 2> settings;
};
constexpr std::array kKnown{
    Known{OdbcServer::postgres,
          "UseDeclareFetch=1;UseServerSidePrepare=1;Protocol=7.4-0;ByteaAsLongVarBinary=1;BoolsAsChar=0;LFConversion=0;"
          "TrueIsMinus1=0;ConnSettings=;",
          {"PostgreSQL", ""},
          {"set timezone = 'UTC'", "set standard_conforming_strings = on"}},
    // OPTION: rows found count, nobody is asked, forward only, no cache.
    Known{OdbcServer::mysql,
          "OPTION=3145746;CHARSET=utf8mb4;AUTO_RECONNECT=0;",
          {"MariaDB", "MySQL"},
          {"set sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = "
           "'+00:00'",
           ""}},
};

const Known* find_known(OdbcServer server) {
  const auto it = std::ranges::find(kKnown, server, &Known::server);
  return it == kKnown.end() ? nullptr : &*it;
}

bool gives(const policy::OdbcConnection& settings, std::string_view name) {
  return std::ranges::any_of(settings.attributes, [&](const auto& one) { return one.first == name; });
}

// Drivers disagree about what is quoted, and how: of a password only what all of them take as it is, or in braces.
StepResult<std::string> password_part(std::string_view password) {
  if (password.empty()) return "";
  if (password.contains('}') || password.contains('{') || password.contains('\0'))
    return step_fail("invalid",
                     "a password that holds a brace cannot go through ODBC, where drivers read it differently");
  const bool plain = std::ranges::all_of(password, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  return plain ? fmt::format("PWD={};", password) : fmt::format("PWD={{{}}};", password);
}

std::string connection_text(const policy::OdbcConnection& settings) {
  auto text =
      settings.dsn.empty() ? fmt::format("DRIVER={{{}}};", settings.driver) : fmt::format("DSN={};", settings.dsn);
  for (const auto& [name, value] : settings.attributes) text += fmt::format("{}={};", name, value);
  if (const auto* known = find_known(settings.server)) text += known->options;
  if (settings.server == OdbcServer::postgres && !gives(settings, "Fetch")) text += "Fetch=100;";
  if (!settings.user.empty()) text += fmt::format("UID={};", settings.user);
  return text;
}

// What opening a session needs; owned by the call that does it.
struct Opening {
  std::vector<unsigned short> text;  // with the password
  std::string password;
  std::string doing;
  SQLUINTEGER patience;  // seconds
  OdbcServer server;
  ~Opening() {
    wipe(text.data(), text.size() * sizeof(text[0]));
    wipe(password.data(), password.size());
  }
};

StepError refusal(const OdbcHandles& handles, const Opening& opening) {
  return odbc_connection_error(complaint_of(SQL_HANDLE_DBC, handles.connection), opening.doing, opening.password);
}

StepResult<void> dial(OdbcHandles& handles, Opening& opening) {
  const bool made = SQL_SUCCEEDED(libodbc().SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &handles.environment)) &&
                    SQL_SUCCEEDED(libodbc().SQLSetEnvAttr(handles.environment, SQL_ATTR_ODBC_VERSION,
                                                          odbc_number(SQL_OV_ODBC3), 0)) &&
                    SQL_SUCCEEDED(libodbc().SQLAllocHandle(SQL_HANDLE_DBC, handles.environment, &handles.connection));
  if (!made) return step_fail("internal", "the driver manager gives no connection");
  libodbc().SQLSetConnectAttr(handles.connection, SQL_ATTR_LOGIN_TIMEOUT, odbc_number(opening.patience), 0);
  const auto connected = libodbc().SQLDriverConnectW(handles.connection, nullptr, opening.text.data(),
                                                     static_cast<SQLSMALLINT>(opening.text.size()), nullptr, 0, nullptr,
                                                     SQL_DRIVER_NOPROMPT);
  if (!SQL_SUCCEEDED(connected)) return std::unexpected(refusal(handles, opening));
  handles.is_connected = true;
  return {};
}

StepResult<void> check_server(const OdbcHandles& handles, OdbcServer server) {
  const auto told = handles.server_name();
  const auto* known = find_known(server);
  if (known != nullptr && std::ranges::find(known->names, told) == known->names.end())
    return step_fail("invalid", fmt::format("the driver says that the server is {}, not what `server` says", told));
  SQLUSMALLINT capable = SQL_TC_NONE;
  libodbc().SQLGetInfoW(handles.connection, SQL_TXN_CAPABLE, &capable, sizeof(capable), nullptr);
  if (capable == SQL_TC_NONE)
    return step_fail("invalid", fmt::format("the driver says that the server ({}) knows no transactions", told));
  return {};
}

// Past the transactions of steps: each of these stays.
StepResult<void> settle(OdbcHandles& handles, const Opening& opening) {
  const auto* known = find_known(opening.server);
  for (const auto text : known == nullptr ? std::array<std::string_view, 2>{} : known->settings) {
    if (text.empty()) continue;
    SQLHSTMT statement = SQL_NULL_HANDLE;
    libodbc().SQLAllocHandle(SQL_HANDLE_STMT, handles.connection, &statement);
    auto wide = to_utf16(text);
    const bool done =
        SQL_SUCCEEDED(libodbc().SQLPrepareW(statement, wide.data(), static_cast<SQLINTEGER>(wide.size()))) &&
        SQL_SUCCEEDED(libodbc().SQLExecute(statement));
    libodbc().SQLFreeHandle(SQL_HANDLE_STMT, statement);
    if (!done) return step_fail("connection", fmt::format("{}: the server refuses `{}`", opening.doing, text));
  }
  auto* const off = odbc_number(SQL_AUTOCOMMIT_OFF);
  if (!SQL_SUCCEEDED(libodbc().SQLSetConnectAttr(handles.connection, SQL_ATTR_AUTOCOMMIT, off, SQL_IS_UINTEGER)))
    return std::unexpected(refusal(handles, opening));
  return {};
}

}  // namespace

StepResult<std::unique_ptr<Connection>> connect_odbc(const policy::OdbcConnection& settings, const vault::Vault& vault,
                                                     const LeftBehind& left_behind, const CallLimits& limits) {
  if (const auto loaded = load_libodbc(); !loaded) return step_fail("connection", loaded.error().message);
  if (*left_behind >= kMostLeftBehind)
    return step_fail("connection", fmt::format("{} calls of the driver have not come back", kMostLeftBehind));
  Secret password;
  if (settings.password) {
    SP_TRY(password, to_step(vault.resolve(settings.password)));
  }
  SP_TRY(auto secret, password_part(password.reveal()));
  auto opening = std::make_shared<Opening>();
  auto text = connection_text(settings) + secret;
  opening->text = to_utf16(text);
  opening->password = password.reveal();
  wipe(text.data(), text.size());
  wipe(secret.data(), secret.size());
  opening->doing = fmt::format("connecting by ODBC to {}", settings.dsn.empty() ? settings.driver : settings.dsn);
  const CallLimits connecting{std::min(limits.deadline, Clock::now() + settings.connect_timeout), limits.stop};
  const auto left = std::chrono::ceil<std::chrono::seconds>(connecting.deadline - Clock::now()).count();
  opening->patience = static_cast<SQLUINTEGER>(std::max<std::int64_t>(left, 1));
  opening->server = settings.server;

  auto session = std::make_unique<OdbcSession>(left_behind);
  auto opened = session->run<void>(connecting, [opening](OdbcHandles& handles) -> StepResult<void> {
    SP_CHECK(dial(handles, *opening));
    SP_CHECK(check_server(handles, opening->server));
    return settle(handles, *opening);
  });
  if (!opened && opened.error().error_class() == "timeout")
    return step_fail("connection", opening->doing + ": the server did not answer in time");
  if (!opened) return std::unexpected(std::move(opened).error());
  return std::make_unique<OdbcConnectionImpl>(std::move(session), settings.server);
}

}  // namespace sallyport::connectors::sql
