// The published schemas know exactly the keys that the readers know, and the example of the demo is sound.
#include "agent/policy/agent_config.h"
#include "agent/policy/config.h"
#include "agent/policy/connections.h"
#include "agent/policy/policy.h"
#include "shared/base/json.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

using Names = std::set<std::string>;

Value schema(const std::string& name) {
  std::ifstream in("docs/schemas/" + name + ".schema.json");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  auto value = parse_json(text);
  REQUIRE(value);
  return *value;
}

Names properties(const Value& schema, std::initializer_list<std::string_view> path) {
  const Value* at = &schema;
  for (auto name : path) {
    at = at->find(name);
    REQUIRE(at != nullptr);
  }
  Names names;
  for (const auto& [name, value] : at->find("properties")->as_map()) names.insert(name.as_string());
  return names;
}

// What a reader says it knows when it meets a key that is like no other.
template <class T>
Names known(const std::expected<T, yaml::Problems>& read) {
  REQUIRE_FALSE(read);
  Names names;
  for (const auto& problem : read.error()) {
    const auto from = problem.message.find("; known are ");
    if (problem.rule != "unknown-key" || from == std::string::npos) continue;
    std::string list = problem.message.substr(from + 12);
    for (std::size_t comma; (comma = list.find(", ")) != std::string::npos; list.erase(0, comma + 2))
      names.insert(list.substr(0, comma));
    names.insert(list);
  }
  for (const char* inline_secret :
       {"password", "value", "key", "key_passphrase", "token", "client_secret", "client_key", "secret", "other_secret"})
    names.erase(inline_secret);  // asked for only to be refused
  return names;
}

Names agent(std::string_view text) { return known(parse_agent_config(text, "agent.yaml", "/")); }
Names connections(std::string_view text) { return known(parse_connections(text, "connections.yaml", "/")); }
Names policy_keys(std::string_view text) { return known(parse_policy(text, "policy.yaml", "/")); }

}  // namespace

TEST_CASE("agent.schema.json has the reader's keys", "[policy][schema]") {
  const auto published = schema("agent");
  CHECK(agent("qqqqqqqqqq: 1") == properties(published, {}));
  for (std::string part : {"proxy", "link", "limits", "log"}) {
    INFO(part);
    CHECK(agent(part + ": {qqqqqqqqqq: 1}") == properties(published, {"properties", part}));
  }
}

TEST_CASE("connections.schema.json has the reader's keys", "[policy][schema]") {
  const auto published = schema("connections");
  CHECK(connections("{connections: {}, qqqqqqqqqq: 1}") == properties(published, {}));
  CHECK(connections("connections: {a: {kind: file, root: x, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "file"}));
  CHECK(connections("connections: {a: {kind: sql, driver: sqlite, file: x, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "sqlite"}));
  CHECK(connections("connections: {a: {kind: sql, driver: odbc, dsn: d, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "odbc"}));
  CHECK(connections("connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "postgres"}));
  CHECK(connections("connections: {a: {kind: sql, driver: mysql, host: h, database: d, user: u, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "mysql"}));
  CHECK(connections("connections: {a: {kind: ldap, host: h, base: \"dc=x\", qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "ldap"}));
  CHECK(connections("connections: {a: {kind: ssh, host: h, user: u, password_env: P, host_keys: [\"" +
                    ("SHA256:" + std::string(43, 'A')) + "\"], qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "ssh"}));
  CHECK(connections("connections: {a: {kind: ssh, host: h, user: u, password_env: P, host_keys: [\"" +
                    ("SHA256:" + std::string(43, 'A')) + "\"], algorithms: {qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "ssh", "properties", "algorithms"}));
  CHECK(connections("connections: {a: {kind: http, url: \"https://h\", qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "http"}));
  for (const std::string type : {"basic", "bearer", "oauth2", "ntlm", "negotiate"}) {
    INFO(type);
    CHECK(connections("connections: {a: {kind: http, url: \"https://h\", auth: {type: " + type +
                      ", qqqqqqqqqq: 1}}}") == properties(published, {"$defs", "http_" + type}));
  }
  CHECK(connections("connections: {a: {kind: http, url: \"https://h\", auth: {type: oauth2, grant: authorization_code, "
                    "qqqqqqqqqq: 1}}}") == properties(published, {"$defs", "http_authorization_code"}));
  CHECK(connections("connections: {a: {kind: http, url: \"https://h\", headers: [{name: a, qqqqqqqqqq: 1}]}}") ==
        properties(published, {"$defs", "http_header"}));
  CHECK(connections("connections: {a: {kind: http, url: \"https://h\", proxy: {qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "http_proxy"}));
  CHECK(connections("connections: {a: {kind: ftps, host: h, user: u, password_env: P, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "ftps"}));
  CHECK(connections("connections: {a: {kind: smb, host: h, share: s, user: u, password_env: P, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "smb"}));
  CHECK(connections("connections: {a: {kind: smtp, host: h, from: [a@b], qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "smtp"}));
  CHECK(connections("connections: {a: {kind: amqp, host: h, user: u, password_env: P, qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "amqp"}));
  CHECK(connections("connections: {a: {kind: kafka, brokers: [\"h:1\"], qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "kafka"}));
  CHECK(connections("connections: {a: {kind: http-listen, port: 1, security: none, senders: [{path: /a, proof: bearer, "
                    "secret_env: S}], qqqqqqqqqq: 1}}") == properties(published, {"$defs", "http-listen"}));
  CHECK(connections("connections: {a: {kind: http-listen, port: 1, security: none, senders: [{path: /a, proof: "
                    "timestamped-signature, signature_header: S, secret_env: S, qqqqqqqqqq: 1}]}}") ==
        properties(published, {"$defs", "listen_sender"}));
}

TEST_CASE("policy.schema.json has the reader's keys", "[policy][schema]") {
  const auto published = schema("policy");
  CHECK(policy_keys("qqqqqqqqqq: 1") == properties(published, {}));
  CHECK(policy_keys("limits: {qqqqqqqqqq: 1}") == properties(published, {"$defs", "limits"}));
  CHECK(policy_keys("connections: {a: {qqqqqqqqqq: 1}}") ==
        properties(published, {"properties", "connections", "additionalProperties"}));
  CHECK(policy_keys("connections: {a: {files: [{directory: x, allow: [], qqqqqqqqqq: 1}]}}") ==
        properties(published, {"$defs", "file_rule"}));
  CHECK(policy_keys("connections: {a: {sql: {verbs: [], qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "sql_rule"}));
  CHECK(policy_keys("connections: {a: {ldap: {verbs: [], bases: [], attributes: [], qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "ldap_rule"}));
  CHECK(policy_keys("connections: {a: {http: {allow: [], qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "http"}));
  CHECK(policy_keys("connections: {a: {http: {allow: [{methods: [], paths: [], qqqqqqqqqq: 1}]}}}") ==
        properties(published, {"$defs", "http_rule"}));
  CHECK(policy_keys("connections: {a: {mail: {recipients: [], qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "mail_rule"}));
  CHECK(policy_keys("connections: {a: {amqp: {qqqqqqqqqq: 1}}}") == properties(published, {"$defs", "amqp_rule"}));
  CHECK(policy_keys("connections: {a: {kafka: {qqqqqqqqqq: 1}}}") == properties(published, {"$defs", "kafka_rule"}));
  CHECK(policy_keys("connections: {a: {listen: [{path: /a, qqqqqqqqqq: 1}]}}") ==
        properties(published, {"$defs", "listen_rule"}));
  CHECK(policy_keys("connections: {a: {amqp: {publish: [{exchange: e, qqqqqqqqqq: 1}]}}}") ==
        properties(published, {"$defs", "amqp_publish"}));
  CHECK(policy_keys("connections: {a: {commands: {b: {argv: [/x], qqqqqqqqqq: 1}}}}") ==
        properties(published, {"$defs", "remote_command"}));
  CHECK(policy_keys("connections: {a: {commands: {b: {argv: [/x], limits: {qqqqqqqqqq: 1}}}}}") ==
        properties(published, {"$defs", "remote_command", "properties", "limits"}));
  CHECK(policy_keys("commands: {a: {argv: [/x], qqqqqqqqqq: 1}}") == properties(published, {"$defs", "command"}));
  CHECK(policy_keys("commands: {a: {argv: [/x, \"{p}\"], parameters: {p: {qqqqqqqqqq: 1}}}}") ==
        properties(published, {"$defs", "command", "properties", "parameters", "additionalProperties"}));
  CHECK(policy_keys("commands: {a: {argv: [/x], limits: {qqqqqqqqqq: 1}}}") ==
        properties(published, {"$defs", "command", "properties", "limits"}));
  CHECK(policy_keys("secrets: {a: {value_env: A, actions: [], qqqqqqqqqq: 1}}") ==
        properties(published, {"$defs", "secret"}));
  CHECK(policy_keys("tunnels: [{target: \"h:1\", qqqqqqqqqq: 1}]") ==
        properties(published, {"properties", "tunnels", "items"}));
}

TEST_CASE("the example of the demo loads and allows its recipe", "[policy][config]") {
  const test::TempDir dir;
  for (const char* file : {"agent.yaml", "connections.yaml", "policy.yaml"}) {
    std::filesystem::copy_file(std::string("examples/orders-to-erp/agent/") + file, dir.path(file));
  }
  std::filesystem::create_directories(dir.path("share/in"));
  const auto config = load_config(dir.path());
  if (!config) FAIL(to_string(config.error().front()));
  CHECK(config->policy.check_action("file.watch@1", "erp-share"));
  CHECK(config->policy.check_directory("erp-share", "in"));
  CHECK(config->policy.check_file("erp-share", FileVerb::remove, "in/orders.csv"));
  CHECK(config->policy.check_file("erp-share", FileVerb::write, "done/orders.csv"));
  CHECK(config->policy.check_action("csv.read@1", ""));
  CHECK(config->policy.check_sql("erp-db",
                                 "insert into orders (id) values (:id) on conflict (id) do update set id = excluded.id",
                                 SqlDialect::sqlite));
  CHECK_FALSE(config->policy.check_sql("erp-db", "delete from orders", SqlDialect::sqlite));
}

namespace {

// A connection that says no more than it has to.
Connection least(const std::string& settings) {
  auto read = parse_connections("connections: {a: {" + settings + "}}", "connections.yaml", "/");
  REQUIRE(read);
  return read->at("a");
}

// What the schema says of a field that is left out.
std::string default_of(const Value& schema, const std::string& kind, const std::string& field) {
  const auto* found = schema.find("$defs")->find(kind)->find("properties")->find(field);
  REQUIRE(found != nullptr);
  if (const auto* ref = found->find("$ref"); ref != nullptr && found->find("default") == nullptr)
    found = schema.find("$defs")->find(ref->as_string().substr(std::string_view("#/$defs/").size()));
  const auto* value = found->find("default");
  REQUIRE(value != nullptr);
  return value->is(Value::Kind::string) ? value->as_string() : to_json(*value);
}

std::string in_seconds(std::chrono::milliseconds length) { return std::to_string(length.count() / 1000) + "s"; }

}  // namespace

TEST_CASE("connections.schema.json has the reader's defaults", "[policy][schema]") {
  const auto published = schema("connections");
  const auto check = [&](const std::string& kind, const auto& settings, std::uint32_t pool) {
    INFO(kind);
    CHECK(default_of(published, kind, "connect_timeout") == in_seconds(settings.connect_timeout));
    CHECK(default_of(published, kind, kind == "http" ? "concurrency" : "pool") == std::to_string(pool));
  };
  const auto port = [&](const std::string& kind, std::uint16_t read) {
    CHECK(default_of(published, kind, "port") == std::to_string(read));
  };
  const auto sql = least("kind: sql, driver: postgres, host: h, database: d, user: u");
  check("postgres", std::get<PostgresConnection>(sql.sql()->server), sql.sql()->pool);
  port("postgres", std::get<PostgresConnection>(sql.sql()->server).port);
  const auto mysql = least("kind: sql, driver: mysql, host: h, database: d, user: u");
  check("mysql", std::get<MysqlConnection>(mysql.sql()->server), mysql.sql()->pool);
  port("mysql", std::get<MysqlConnection>(mysql.sql()->server).port);
  const auto odbc = least("kind: sql, driver: odbc, dsn: d");
  check("odbc", std::get<OdbcConnection>(odbc.sql()->server), odbc.sql()->pool);
  const auto ldap = least("kind: ldap, host: h, base: \"dc=x\"");
  check("ldap", *ldap.ldap(), ldap.ldap()->pool);
  const auto ssh =
      least("kind: ssh, host: h, user: u, password_env: P, host_keys: [\"SHA256:" + std::string(43, 'A') + "\"]");
  check("ssh", *ssh.ssh(), ssh.ssh()->pool);
  port("ssh", ssh.ssh()->port);
  CHECK(default_of(published, "ssh", "keep_alive") == in_seconds(ssh.ssh()->keep_alive));
  CHECK(default_of(published, "ssh", "root") == ssh.ssh()->root);
  const auto http = least("kind: http, url: \"https://h\"");
  check("http", *http.http(), http.http()->concurrency);
  const auto ftps = least("kind: ftps, host: h, user: u, password_env: P");
  check("ftps", *ftps.ftps(), ftps.ftps()->pool);
  CHECK(default_of(published, "ftps", "answer_timeout") == in_seconds(ftps.ftps()->answer_timeout));
  CHECK(default_of(published, "ftps", "root") == ftps.ftps()->root);
  const auto smb = least("kind: smb, host: h, share: s, user: u, password_env: P");
  check("smb", *smb.smb(), smb.smb()->pool);
  port("smb", smb.smb()->port);
  CHECK(default_of(published, "smb", "answer_timeout") == in_seconds(smb.smb()->answer_timeout));
  CHECK(default_of(published, "smb", "root") == smb.smb()->root);
  const auto amqp = least("kind: amqp, host: h, user: u, password_env: P");
  check("amqp", *amqp.amqp(), amqp.amqp()->pool);
  CHECK(default_of(published, "amqp", "vhost") == amqp.amqp()->vhost);
  const auto kafka = least("kind: kafka, brokers: [\"h:1\"]");
  check("kafka", *kafka.kafka(), kafka.kafka()->pool);
  const auto listen =
      least("kind: http-listen, port: 1, security: none, senders: [{path: /a, proof: bearer, secret_env: S}]");
  CHECK(default_of(published, "http-listen", "address") == listen.listen()->address);
  CHECK(default_of(published, "http-listen", "rate") == std::to_string(listen.listen()->rate));
}
