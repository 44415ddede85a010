#include "agent/policy/config.h"

#include "agent/policy/reading.h"
#include "shared/base/json.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

constexpr std::string_view kAgent = R"(relay: relay.example.com:8443
state_dir: state
proxy: {url: "http://proxy.example.com:3128", user: agent, password_file: proxy.password}
limits: {slots: 3, worker_threads: 2, spool: 1GiB, outbox: 64MiB}
log: {level: debug}
)";
constexpr std::string_view kConnections = R"(connections:
  share: {kind: file, root: share}
  local: {kind: sql, driver: sqlite, file: erp.db, effect_ledger: true}
  erp:
    kind: sql
    driver: postgres
    host: db.example.com
    database: erp
    user: sallyport
    password_env: ERP_PASSWORD
    pool: 2
)";
constexpr std::string_view kPolicy = R"(actions: ["file.*"]
connections:
  share: {files: [{directory: ., allow: [read]}]}
)";

std::string all_of(const yaml::Problems& problems) {
  std::string text;
  for (const auto& problem : problems) text += to_string(problem) + "\n";
  return text;
}

std::string connection_problems(std::string_view text) {
  const auto parsed = parse_connections(text, "connections.yaml", "/etc/sallyport");
  return parsed ? "none" : all_of(parsed.error());
}

std::string agent_problems(std::string_view text) {
  const auto parsed = parse_agent_config(text, "agent.yaml", "/etc/sallyport");
  return parsed ? "none" : all_of(parsed.error());
}

struct Files {
  test::TempDir dir;
  Files() {
    dir.write("agent.yaml", kAgent);
    dir.write("connections.yaml", kConnections);
    dir.write("policy.yaml", kPolicy);
    dir.write("share/x", "");
    ::chmod(dir.write("proxy.password", "pw").c_str(), 0600);
  }
};

}  // namespace

TEST_CASE("an agent has as many connections as its Hello can name", "[policy][config][bounds]") {
  const auto with = [](int count) {
    std::string text = "version: 1\nconnections:\n";
    for (int i = 0; i < count; ++i) text += "  c" + std::to_string(i) + ": {kind: file, root: /srv}\n";
    return connection_problems(text);
  };
  CHECK(with(400) == "none");
  CHECK(with(401).find("an agent has at most 400 connections") != std::string::npos);
}

TEST_CASE("three good files load, relative paths from their folder", "[policy][config]") {
  const Files files;
  const auto config = load_config(files.dir.path());
  if (!config) FAIL(all_of(config.error()));
  CHECK(config->agent.relay == RelayAddress{"relay.example.com", 8443});
  CHECK(config->agent.state_dir == files.dir.path("state"));
  CHECK(config->agent.proxy.mode == ProxyConfig::Mode::fixed);
  CHECK(config->agent.proxy.port == 3128);
  CHECK(config->agent.proxy.password.where == files.dir.path("proxy.password"));
  CHECK(config->agent.limits.slots == 3);
  CHECK(config->agent.limits.outbox_bytes == 64u << 20);
  CHECK(config->agent.log_level == LogLevel::debug);
  CHECK(config->connections.at("share").file()->root == files.dir.path("share"));
  const auto* erp = config->connections.at("erp").sql();
  const auto& postgres = std::get<PostgresConnection>(erp->server);
  CHECK(postgres.sslmode == "verify-full");
  CHECK(postgres.password == vault::SecretRef{vault::SecretRef::Source::environment, "ERP_PASSWORD"});
  CHECK(config->connections.at("local").sql()->effect_ledger);
}

TEST_CASE("a connection says by itself that its password is a system key", "[policy][config][secret]") {
  const auto source_of = [](const std::string& named) {
    const auto read = parse_connections(
        "connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, password_system_key: " + named +
            "}}",
        "connections.yaml", "/");
    REQUIRE(read);
    return std::get<PostgresConnection>(read->at("a").sql()->server).password;
  };
  using Source = vault::SecretRef::Source;
  CHECK(source_of("erp-db") == vault::SecretRef{Source::system_key, "erp-db/password"});
  CHECK(source_of("erp-db/token") == vault::SecretRef{Source::system_key, "erp-db/token"});
  // The relay is reached through the proxy: its password cannot come from there.
  CHECK(agent_problems("proxy: {url: \"http://p:1\", user: u, password_system_key: p}").find("password_system_key") !=
        std::string::npos);
}

TEST_CASE("every fault of every file is told in one go", "[policy][config]") {
  const Files files;
  files.dir.write("agent.yaml", "state_dri: x");
  files.dir.write("connections.yaml", "connections: {a: {kind: fiel}}");
  std::filesystem::remove(files.dir.path("policy.yaml"));
  const auto config = load_config(files.dir.path());
  REQUIRE_FALSE(config);
  const auto text = all_of(config.error());
  INFO(text);
  CHECK(text.find("agent.yaml:1:1") != std::string::npos);
  CHECK(text.find("connections.yaml:1") != std::string::npos);
  CHECK(text.find("policy.yaml: ") != std::string::npos);
}

TEST_CASE("files and a folder that others may write to are faults, with the commands that repair them",
          "[policy][config][security]") {
  const Files files;
  const auto faults = [&] {
    const auto config = load_config(files.dir.path());
    return config ? std::string("none") : all_of(config.error());
  };
  for (const char* name : {"agent.yaml", "connections.yaml", "policy.yaml"})
    ::chmod(files.dir.path(name).c_str(), 0664);
  const auto text = faults();
  INFO(text);
  for (const char* name : {"agent.yaml", "connections.yaml", "policy.yaml"})
    CHECK(text.find("run: chmod go-w " + files.dir.path(name) + " [unreadable-file]") != std::string::npos);
  CHECK(text.find("can be written by its group (mode 0664)") != std::string::npos);
  for (const char* name : {"agent.yaml", "connections.yaml", "policy.yaml"})
    ::chmod(files.dir.path(name).c_str(), 0644);
  CHECK(faults() == "none");
  ::chmod(files.dir.path().c_str(), 0777);
  CHECK(faults().find("run: chmod go-w " + files.dir.path() + " [unsafe-folder]") != std::string::npos);
  CHECK(faults().find("policy.yaml") == std::string::npos);
}

TEST_CASE("files that do not fit each other or the machine are faults", "[policy][config]") {
  const Files files;
  SECTION("a policy for a connection that does not exist") {
    files.dir.write("policy.yaml", "connections: {shrae: {}}");
    CHECK(all_of(load_config(files.dir.path()).error()) ==
          "policy.yaml:1:15: connections.yaml has no connection shrae (did you mean `share`?) [unknown-connection]\n");
  }
  SECTION("a secret for a connection and a command that do not exist") {
    files.dir.write("policy.yaml",
                    "commands: {post: {argv: [/bin/cat]}}\n"
                    "secrets: {t: {value_env: T, actions: [command.run@1], connections: [shar], commands: [pots]}}\n");
    const auto text = all_of(load_config(files.dir.path()).error());
    CHECK(text.find("no connection shar (did you mean `share`?)") != std::string::npos);
    CHECK(text.find("`commands` has no pots (did you mean `post`?)") != std::string::npos);
  }
  SECTION("a policy of the wrong kind") {
    files.dir.write("policy.yaml", "connections: {share: {sql: {verbs: [select]}}}");
    CHECK(all_of(load_config(files.dir.path()).error()).find("`sql` does not apply") != std::string::npos);
    files.dir.write("policy.yaml", "connections: {share: {commands: {a: {argv: [/bin/true]}}}}");
    CHECK(all_of(load_config(files.dir.path()).error()).find("`commands` does not apply") != std::string::npos);
  }
  SECTION("a server over SSH has files and commands") {
    files.dir.write("connections.yaml",
                    "connections: {partner: {kind: ssh, host: h, user: u, password_env: P, host_keys: [\"SHA256:" +
                        std::string(43, 'A') + "\"]}}");
    files.dir.write("policy.yaml",
                    "connections: {partner: {files: [{directory: ., allow: [read]}], commands: {a: {argv: [/bin/x, "
                    "\"{p}\"], parameters: {p: {}}, limits: {run_time: 5s}}}}}");
    const auto loaded = load_config(files.dir.path());
    if (!loaded) FAIL(all_of(loaded.error()));
    const auto command = loaded->policy.find_remote_command("partner", "a");
    REQUIRE(command);
    CHECK((*command)->limits.run_time == std::chrono::seconds(5));
    CHECK_FALSE(loaded->policy.find_remote_command("partner", "b"));
    CHECK_FALSE(loaded->policy.find_remote_command("other", "a"));
    CHECK_FALSE(loaded->policy.find_command("a"));
  }
  SECTION("a root that is not there") {
    std::filesystem::remove_all(files.dir.path("share"));
    CHECK(all_of(load_config(files.dir.path()).error()).find("is no directory") != std::string::npos);
  }
  SECTION("a secret file that others can read") {
    ::chmod(files.dir.path("proxy.password").c_str(), 0644);
    CHECK(all_of(load_config(files.dir.path()).error()).find("chmod 600") != std::string::npos);
  }
}

TEST_CASE("inline secrets are refused, with what to do, and never repeated", "[policy][config][secret]") {
  const std::string canary = "c4n4ry";
  const auto text = connection_problems(
      "connections:\n  a: {kind: sql, driver: postgres, host: h, database: d, user: u, password: " + canary + "}");
  INFO(text);
  CHECK(text.find("inline-secret") != std::string::npos);
  CHECK(text.find("password_file") != std::string::npos);
  CHECK(text.find(canary) == std::string::npos);
  const auto proxy = agent_problems("proxy: {url: \"http://p:1\", user: u, password: " + canary + "}");
  CHECK(proxy.find("inline-secret") != std::string::npos);
  CHECK(proxy.find(canary) == std::string::npos);
  CHECK(agent_problems("proxy: {url: \"http://u:" + canary + "@p:1\"}").find("bad-url") != std::string::npos);
}

TEST_CASE("faults of connections.yaml", "[policy][config]") {
  struct Row {
    const char* text;
    const char* fragment;
  };
  const Row table[] = {
      {"{}", "needs `connections`"},
      {"connections: {a: {kind: sqll}}", "sql"},
      {"connections: {a: {}}", "needs `kind`"},
      {"connections: {a: {kind: file}}", "needs `root`"},
      {"connections: {a: {kind: file, root: x, rot: y}}", "did you mean `root`?"},
      {"connections: {a: {kind: sql, driver: sqlite}}", "needs `file`"},
      {"connections: {a: {kind: sql, driver: oracle}}", "driver"},
      {"connections: {A b: {kind: file, root: x}}", "no name for a connection"},
      {"connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, sslmode: disable}}",
       "clear-text"},
      {"connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, port: 70000}}", "port"},
      {"connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, password_env: A, password_file: "
       "b}}",
       "both-sources"},
      {"connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, password_env: A, "
       "password_system_key: b}}",
       "both-sources"},
      {"connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, password_system_key: B_1}}",
       "must be the name of a system key"},
      {"connections: {a: {kind: sql, driver: postgres, host: h, database: d, user: u, password_system_key: b/}}",
       "must be the name of a system key"},
      {"connections: {a: {kind: sql, driver: odbc}}", "one of `odbc_driver`"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, odbc_driver: b}}", "one of `odbc_driver`"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: \"a;Trace=1\"}}", "bad-odbc"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, user: \"u;PWD=x\"}}", "bad-odbc"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, attributes: {Server: \"{x}\"}}}", "bad-odbc"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, attributes: {PWD: x}}}", "odbc-attribute"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, attributes: {ConnSettings: x}}}", "odbc-attribute"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, attributes: {LoadExt: x}}}", "odbc-attribute"},
      {"connections: {a: {kind: sql, driver: odbc, dsn: a, effect_ledger: true}}", "no-ledger"},
      {"connections: {a: {kind: sql, driver: mysql, host: h, database: d, user: u, sslmode: disable}}", "clear-text"},
      {"connections: {a: {kind: sql, driver: mysql, host: h, database: d, user: u, sslmode: require}}", "sslmode"},
      {"connections: {a: {kind: sql, driver: mysql, host: \"a,b\", database: d, user: u}}", "bad-host"},
      {"connections: {a: {kind: sql, driver: mysql, host: \"mariadb://a\", database: d, user: u}}", "bad-host"},
      {"connections: {a: {kind: sql, driver: mysql, host: \"a;ssl_verify=0\", database: d, user: u}}", "bad-host"},
      {"connections: {a: {kind: sql, driver: mysql, host: /run/s, database: d, user: u, sslmode: verify-full}}",
       "socket"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto all = connection_problems(row.text);
    INFO(all);
    CHECK(all.find(row.fragment) != std::string::npos);
  }
  CHECK(connection_problems("connections: {a: {kind: sql, driver: postgres, host: 127.0.0.1, database: d, user: u}}") ==
        "none");
  CHECK(connection_problems("connections: {a: {kind: sql, driver: mysql, host: /run/s, database: d, user: u}}") ==
        "none");
  CHECK(connection_problems("connections: {a: {kind: sql, driver: odbc, odbc_driver: FreeTDS, attributes: {SERVER: h, "
                            "Port: \"1433\"}, user: u, password_env: P}}") == "none");
  CHECK(connection_problems(
            "connections: {a: {kind: sql, driver: odbc, dsn: a, server: mysql, effect_ledger: true}}") == "none");
  const auto mysql = parse_connections("connections: {a: {kind: sql, driver: mysql, host: h, database: d, user: u}}",
                                       "connections.yaml", "/");
  REQUIRE(mysql);
  CHECK(std::get<MysqlConnection>(mysql->at("a").sql()->server).sslmode == "verify-full");
  CHECK(std::get<MysqlConnection>(mysql->at("a").sql()->server).port == 3306);
}

TEST_CASE("faults of agent.yaml", "[policy][config]") {
  CHECK(agent_problems("relay: \"a:b:c\"").find("host or host:port") != std::string::npos);
  CHECK(agent_problems("limits: {slots: 0}").find("slots") != std::string::npos);
  CHECK(agent_problems("log: {level: loud}").find("level") != std::string::npos);
  CHECK(agent_problems("proxy: {url: \"https://p:1\"}").find("http://host:port") != std::string::npos);
  CHECK(agent_problems("proxy: {mode: direct, url: \"http://p:1\"}").find("either") != std::string::npos);
  CHECK(agent_problems("proxy: {user: u}").find("need `url`") != std::string::npos);
  CHECK(agent_problems("proxy: {mode: direct}") == "none");
}

TEST_CASE("sizes and addresses", "[policy][config]") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("64KiB") == 65536);
  CHECK(parse_size("2TiB") == 2ULL << 40);
  for (const char* bad : {"", "x", "1KB", "-1", "1.5GiB", "99999999999TiB", "1 KiB"}) CHECK_FALSE(parse_size(bad));
  CHECK(parse_relay_address("h") == RelayAddress{"h", 443});
  CHECK(parse_relay_address("[::1]:8443") == RelayAddress{"::1", 8443});
  for (const char* bad : {"", ":1", "h:", "h:0", "h:65536", "h:1x", "[::1", "[h]:1", "a b", "h/x"}) {
    INFO(bad);
    CHECK_FALSE(parse_relay_address(bad));
  }
}
