#pragma once

#include "agent/policy/broker_connection.h"
#include "agent/policy/dn.h"
#include "agent/policy/ftps_connection.h"
#include "agent/policy/http_connection.h"
#include "agent/policy/listen_connection.h"
#include "agent/policy/odbc_connection.h"
#include "agent/policy/smb_connection.h"
#include "agent/policy/ssh_connection.h"
#include "agent/vault/vault.h"
#include "shared/recipe/problem.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sallyport::policy {

struct FileConnection {
  std::string root;  // absolute
};

struct SqliteConnection {
  std::string file;  // absolute; must exist
};

struct PostgresConnection {
  std::string host;  // a name, an address, or the absolute directory of a Unix socket
  std::uint16_t port = 5432;
  std::string database;
  std::string user;
  vault::SecretRef password;
  std::string sslmode = "verify-full";
  std::string ca_file;  // empty: the system's store
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
};

// MySQL and MariaDB.
struct MysqlConnection {
  std::string host;  // a name, an address, or the absolute path of a Unix socket
  std::uint16_t port = 3306;
  std::string database;
  std::string user;
  vault::SecretRef password;
  std::string sslmode = "verify-full";  // or disable
  std::string ca_file;                  // empty: the system's store
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);

  bool is_socket() const { return host.starts_with('/'); }
};

struct SqlConnection {
  std::variant<SqliteConnection, PostgresConnection, MysqlConnection, OdbcConnection> server;
  std::uint32_t pool = 4;      // connections open at the same time
  bool effect_ledger = false;  // the table sallyport_effects may be used (and is created when absent and allowed)
};

// How what goes over the network is kept from others; certificate and name of the server are always checked.
enum class LdapSecurity { starttls, ldaps, none };

struct LdapConnection {
  std::string host;
  std::uint16_t port = 389;
  LdapSecurity security = LdapSecurity::starttls;
  std::string ca_file;  // empty: the system's store
  std::string bind_dn;  // empty: without a login
  vault::SecretRef password;
  Dn base;  // no step reaches anything else
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::uint32_t pool = 4;  // connections open at the same time
};

enum class SmtpSecurity { starttls, tls, none };

struct SmtpConnection {
  std::string host;
  std::uint16_t port = 587;
  SmtpSecurity security = SmtpSecurity::starttls;
  std::string ca_file;  // empty: the system's store
  std::string user;     // empty: without a login
  vault::SecretRef password;
  std::vector<std::string> from;  // whom mail may come from; the first unless a step says otherwise
  std::uint64_t max_size = 25ULL << 20;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
};

// A configured system, as the operator describes it.
struct Connection {
  std::string name;
  std::variant<FileConnection, SqlConnection, HttpConnection, LdapConnection, SmtpConnection, SshConnection,
               FtpsConnection, AmqpConnection, KafkaConnection, ListenConnection, SmbConnection>
      settings;
  yaml::Position at;

  // "file", "sql", "http", "ldap", "smtp", "ssh", "ftps", "amqp", "kafka", "http-listen", "smb"
  std::string_view kind() const;
  std::vector<vault::SecretRef> secrets() const;  // all that its settings refer to
  const FileConnection* file() const { return std::get_if<FileConnection>(&settings); }
  const SqlConnection* sql() const { return std::get_if<SqlConnection>(&settings); }
  const HttpConnection* http() const { return std::get_if<HttpConnection>(&settings); }
  const LdapConnection* ldap() const { return std::get_if<LdapConnection>(&settings); }
  const SshConnection* ssh() const { return std::get_if<SshConnection>(&settings); }
  const FtpsConnection* ftps() const { return std::get_if<FtpsConnection>(&settings); }
  const SmbConnection* smb() const { return std::get_if<SmbConnection>(&settings); }
  const SmtpConnection* smtp() const { return std::get_if<SmtpConnection>(&settings); }
  const AmqpConnection* amqp() const { return std::get_if<AmqpConnection>(&settings); }
  const KafkaConnection* kafka() const { return std::get_if<KafkaConnection>(&settings); }
  const ListenConnection* listen() const { return std::get_if<ListenConnection>(&settings); }
};

using Connections = std::map<std::string, Connection, std::less<>>;

// connections.yaml. Secrets are references only: a key such as `password` is refused with the reason.
std::expected<Connections, yaml::Problems> parse_connections(std::string_view text, std::string_view file,
                                                             std::string_view directory);

}  // namespace sallyport::policy
