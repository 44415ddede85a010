#include "agent/policy/connection_readers.h"

#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::policy {
namespace {

using yaml::FieldReader;
using yaml::Need;

constexpr std::array<std::string_view, 4> kDrivers{"sqlite", "postgres", "mysql", "odbc"};
constexpr std::array<std::string_view, 4> kPostgresModes{"disable", "require", "verify-ca", "verify-full"};
// Asked for TLS without a certificate to check, libmariadb 3.3 goes on without TLS where the server offers none.
constexpr std::array<std::string_view, 2> kMysqlModes{"disable", "verify-full"};

bool is_local(const std::string& host) { return host.starts_with('/') || is_this_machine(host); }

// What a server that is logged in to has, whatever its kind.
template <class Server>
Server read_server(FieldReader& fields, std::string_view directory, std::span<const std::string_view> modes) {
  Server server;
  server.host = fields.text("host", Need::required).value_or("");
  server.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(server.port));
  server.database = fields.text("database", Need::required).value_or("");
  server.user = fields.text("user", Need::required).value_or("");
  server.password = read_secret_ref(fields, "password", directory);
  server.sslmode = fields.choice("sslmode", modes).value_or(is_local(server.host) ? "disable" : "verify-full");
  if (const auto ca = fields.text("ca_file")) server.ca_file = resolve_path(*ca, directory);
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  server.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(server.connect_timeout);
  if (server.sslmode == "disable" && !server.host.empty() && !is_local(server.host)) {
    fields.problem("sslmode", "clear-text",
                   "`sslmode: disable` is only allowed for a server on this machine: the password would cross the "
                   "network in clear text");
  }
  return server;
}

// libmariadb takes a list of hosts, and settings, where one host is meant.
bool is_one_host(std::string_view host) {
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '%';
  });
}

MysqlConnection read_mysql(FieldReader& fields, std::string_view directory) {
  auto mysql = read_server<MysqlConnection>(fields, directory, kMysqlModes);
  if (!mysql.is_socket() && !is_one_host(mysql.host))
    fields.problem("host", "bad-host", "`host` must be one name, one address, or the absolute path of a Unix socket");
  if (mysql.is_socket() && mysql.sslmode != "disable")
    fields.problem("sslmode", "socket", "a Unix socket has no TLS: leave `sslmode` out");
  return mysql;
}

}  // namespace

SqlConnection read_sql(FieldReader& fields, std::string_view directory) {
  SqlConnection sql;
  const auto driver = fields.choice("driver", kDrivers, Need::required);
  if (driver == "sqlite") {
    sql.server = SqliteConnection{resolve_path(fields.text("file", Need::required).value_or("."), directory)};
  } else if (driver == "postgres") {
    sql.server = read_server<PostgresConnection>(fields, directory, kPostgresModes);
  } else if (driver == "mysql") {
    sql.server = read_mysql(fields, directory);
  } else if (driver == "odbc") {
    sql.server = read_odbc(fields, directory);
  }
  sql.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(sql.pool));
  sql.effect_ledger = fields.boolean("effect_ledger").value_or(false);
  const auto* odbc = std::get_if<OdbcConnection>(&sql.server);
  if (sql.effect_ledger && odbc != nullptr && odbc->server == OdbcServer::other)
    fields.problem("effect_ledger", "no-ledger",
                   "through ODBC an effect ledger can be kept on a `server` of postgres or mysql only");
  return sql;
}

}  // namespace sallyport::policy
