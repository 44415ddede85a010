#include "agent/policy/connections.h"

#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::policy {
namespace {

// With names of full length and the health of each they fit into a Hello (docs/protocol.md P4.2).
constexpr std::size_t kMostConnections = 400;

using yaml::FieldReader;
using yaml::Need;

constexpr std::array<std::string_view, 2> kKinds{"file", "sql"};
constexpr std::array<std::string_view, 2> kDrivers{"sqlite", "postgres"};
constexpr std::array<std::string_view, 4> kSslModes{"disable", "require", "verify-ca", "verify-full"};

bool is_local(const std::string& host) {
  return host.starts_with('/') || host == "127.0.0.1" || host == "::1" || host == "localhost";
}

FileConnection read_file(FieldReader& fields, std::string_view directory) {
  return FileConnection{resolve_path(fields.text("root", Need::required).value_or("."), directory)};
}

PostgresConnection read_postgres(FieldReader& fields, std::string_view directory) {
  PostgresConnection postgres;
  postgres.host = fields.text("host", Need::required).value_or("");
  postgres.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(postgres.port));
  postgres.database = fields.text("database", Need::required).value_or("");
  postgres.user = fields.text("user", Need::required).value_or("");
  postgres.password = read_secret_ref(fields, "password", directory);
  postgres.sslmode = fields.choice("sslmode", kSslModes).value_or(is_local(postgres.host) ? "disable" : "verify-full");
  if (const auto ca = fields.text("ca_file")) postgres.ca_file = resolve_path(*ca, directory);
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  postgres.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(postgres.connect_timeout);
  if (postgres.sslmode == "disable" && !postgres.host.empty() && !is_local(postgres.host)) {
    fields.problem("sslmode", "clear-text",
                   "`sslmode: disable` is only allowed for a server on this machine: the password would cross the "
                   "network in clear text");
  }
  return postgres;
}

SqlConnection read_sql(FieldReader& fields, std::string_view directory) {
  SqlConnection sql;
  const auto driver = fields.choice("driver", kDrivers, Need::required);
  if (driver == "sqlite") {
    sql.server = SqliteConnection{resolve_path(fields.text("file", Need::required).value_or("."), directory)};
  } else if (driver == "postgres") {
    sql.server = read_postgres(fields, directory);
  }
  sql.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(sql.pool));
  sql.effect_ledger = fields.boolean("effect_ledger").value_or(false);
  return sql;
}

Connection read_connection(const yaml::Member& member, yaml::Report& report, std::string_view directory) {
  FieldReader fields(member.value, report, fmt::format("connection {}", yaml::quoted(member.key)));
  Connection connection;
  connection.name = member.key;
  connection.at = member.at;
  const auto kind = fields.choice("kind", kKinds, Need::required);
  if (kind == "file") connection.settings = read_file(fields, directory);
  if (kind == "sql") connection.settings = read_sql(fields, directory);
  if (kind) fields.finish();  // without a kind every other key would be called unknown
  return connection;
}

}  // namespace

std::string_view Connection::kind() const { return kKinds[settings.index()]; }

std::vector<const vault::SecretRef*> Connection::secrets() const {
  const auto* postgres = sql() == nullptr ? nullptr : std::get_if<PostgresConnection>(&sql()->server);
  if (postgres == nullptr) return {};
  return {&postgres->password};
}

std::expected<Connections, yaml::Problems> parse_connections(std::string_view text, std::string_view file,
                                                             std::string_view directory) {
  auto root = yaml::parse(text, file);
  if (!root) return std::unexpected(std::move(root).error());
  yaml::Report report{std::string(file)};
  FieldReader fields(*root, report, "connections.yaml");
  read_version(fields);
  Connections connections;
  if (const auto* all = fields.mapping("connections", Need::required)) {
    if (all->members.size() > kMostConnections) {
      fields.problem("connections", "too-many-connections",
                     fmt::format("an agent has at most {} connections: its first message to the relay names them all; "
                                 "give the others to a second agent",
                                 kMostConnections));
    }
    for (const auto& member : all->members) {
      check_name(report, member, "connection");
      connections.emplace(member.key, read_connection(member, report, directory));
    }
  }
  fields.finish();
  if (!report.clean()) return std::unexpected(report.take());
  return connections;
}

}  // namespace sallyport::policy
