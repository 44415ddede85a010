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
