#include "agent/policy/connections.h"

#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::policy {
namespace {

// With names of full length and the health of each they fit into a Hello (docs/protocol.md P4.2).
constexpr std::size_t kMostConnections = 400;

using yaml::FieldReader;
using yaml::Need;

constexpr std::array<std::string_view, 11> kKinds{"file", "sql",  "http",  "ldap",        "smtp", "ssh",
                                                  "ftps", "amqp", "kafka", "http-listen", "smb"};

FileConnection read_file(FieldReader& fields, std::string_view directory) {
  return FileConnection{resolve_path(fields.text("root", Need::required).value_or("."), directory)};
}

Connection read_connection(const yaml::Member& member, yaml::Report& report, std::string_view directory) {
  FieldReader fields(member.value, report, fmt::format("connection {}", yaml::quoted(member.key)));
  Connection connection;
  connection.name = member.key;
  connection.at = member.at;
  const auto kind = fields.choice("kind", kKinds, Need::required);
  if (kind == "file") connection.settings = read_file(fields, directory);
  if (kind == "sql") connection.settings = read_sql(fields, directory);
  if (kind == "ldap") connection.settings = read_ldap(fields, directory);
  if (kind == "ssh") connection.settings = read_ssh(fields, directory);
  if (kind == "ftps") connection.settings = read_ftps(fields, directory);
  if (kind == "smb") connection.settings = read_smb(fields, directory);
  if (kind == "http") connection.settings = read_http(fields, directory);
  if (kind == "smtp") connection.settings = read_smtp(fields, directory);
  if (kind == "amqp") connection.settings = read_amqp(fields, directory);
  if (kind == "kafka") connection.settings = read_kafka(fields, directory);
  if (kind == "http-listen") connection.settings = read_listen(fields, directory);
  if (kind) fields.finish();  // without a kind every other key would be called unknown
  return connection;
}

}  // namespace

std::string_view Connection::kind() const { return kKinds[settings.index()]; }

std::vector<vault::SecretRef> Connection::secrets() const {
  if (http() != nullptr) return secrets_of(*http());
  std::vector<vault::SecretRef> all;
  if (const auto* broker = amqp()) all = secrets_of(*broker);
  if (const auto* cluster = kafka()) all = secrets_of(*cluster);
  if (const auto* listener = listen()) all = secrets_of(*listener);
  if (const auto* database = sql()) {
    if (const auto* postgres = std::get_if<PostgresConnection>(&database->server)) all.push_back(postgres->password);
    if (const auto* mysql = std::get_if<MysqlConnection>(&database->server)) all.push_back(mysql->password);
    if (const auto* odbc = std::get_if<OdbcConnection>(&database->server)) all.push_back(odbc->password);
  }
  if (const auto* directory = ldap()) all.push_back(directory->password);
  if (const auto* server = smtp()) all.push_back(server->password);
  if (const auto* server = ssh()) all.insert(all.end(), {server->key, server->key_passphrase, server->password});
  if (const auto* server = ftps()) all.insert(all.end(), {server->password, server->client_key});
  if (const auto* server = smb()) all.push_back(server->password);
  std::erase_if(all, [](const vault::SecretRef& one) { return !one; });
  return all;
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
