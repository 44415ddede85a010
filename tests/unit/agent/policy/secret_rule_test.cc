#include "agent/policy/secret_rule.h"

#include "agent/policy/config.h"
#include "agent/policy/policy.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

constexpr std::string_view kPolicy = R"(secrets:
  token:
    value_file: erp.token
    actions: [command.run@1, "sql.*"]
    connections: [erp]
    commands: [post]
    recipes: [orders-to-erp]
  open: {value_env: OPEN_TOKEN, actions: [command.run@1]}
  closed: {value_env: CLOSED_TOKEN, actions: []}
)";

Policy sample() {
  auto policy = parse_policy(kPolicy, "policy.yaml", "/etc/sallyport");
  if (!policy) throw std::runtime_error(to_string(policy.error().front()));
  return *std::move(policy);
}

std::string problems(const std::string& secret) {
  const auto policy = parse_policy("secrets: {t: " + secret + "}", "policy.yaml", "/etc/sallyport");
  if (policy) return "none";
  std::string all;
  for (const auto& problem : policy.error()) all += to_string(problem) + "\n";
  return all;
}

struct Asked {
  const char* what;
  SecretUse use;
  const char* rule;  // empty: given
};

}  // namespace

TEST_CASE("a secret goes where its rule says, and a refusal names the list", "[policy][secret]") {
  const auto policy = sample();
  const std::vector<Asked> table{
      {"a command that is listed", {"token", "command.run@1", "", "post", "orders-to-erp"}, ""},
      {"another command",
       {"token", "command.run@1", "", "get", "orders-to-erp"},
       "policy.yaml:6 secrets.token.commands"},
      {"an action of a listed kind", {"token", "sql.query@1", "erp", "", "orders-to-erp"}, ""},
      {"another connection",
       {"token", "sql.query@1", "crm", "", "orders-to-erp"},
       "policy.yaml:5 secrets.token.connections"},
      {"another action", {"token", "file.write@1", "erp", "", "orders-to-erp"}, "policy.yaml:4 secrets.token.actions"},
      {"another recipe", {"token", "sql.query@1", "erp", "", "other"}, "policy.yaml:7 secrets.token.recipes"},
      {"lists that are not written do not count", {"open", "command.run@1", "", "any", "any"}, ""},
      {"an empty list gives it to nobody",
       {"closed", "command.run@1", "", "any", "any"},
       "policy.yaml:9 secrets.closed.actions"},
      {"a secret that is not there", {"other", "command.run@1", "", "post", "orders-to-erp"}, "policy.yaml secrets"},
  };
  for (const auto& [what, use, rule] : table) {
    INFO(what);
    const auto given = policy.check_secret(use);
    CHECK(given.has_value() == std::string_view(rule).empty());
    if (!given) CHECK(given.error().rule == rule);
  }
  CHECK_FALSE(Policy().check_secret({"token", "command.run@1", "", "post", "orders-to-erp"}));
}

TEST_CASE("a secret is a reference", "[policy][secret]") {
  const auto policy = sample();
  const auto file = policy.check_secret({"token", "sql.query@1", "erp", "", "orders-to-erp"});
  CHECK(**file == vault::SecretRef{vault::SecretRef::Source::file, "/etc/sallyport/erp.token"});
  const auto variable = policy.check_secret({"open", "command.run@1", "", "", ""});
  CHECK(**variable == vault::SecretRef{vault::SecretRef::Source::environment, "OPEN_TOKEN"});
  CHECK(problems("{value: hunter2, actions: [sql.query@1]}").find("[inline-secret]") != std::string::npos);
  CHECK(problems("{value: hunter2, actions: [sql.query@1]}").find("hunter2") == std::string::npos);
}

TEST_CASE("what is wrong with a secret's rule is told", "[policy][secret][bad-input]") {
  CHECK(problems("{value_env: T, actions: [sql.query@1]}") == "none");
  CHECK(problems("{actions: [sql.query@1]}").find("`value_file`, `value_env` or `value_system_key`") !=
        std::string::npos);
  CHECK(problems("{value_env: T}").find("[missing-field]") != std::string::npos);
  CHECK(problems("{value_env: T, value_file: t, actions: []}").find("[both-sources]") != std::string::npos);
  CHECK(problems("{value_env: T, actions: [query]}").find("[bad-action]") != std::string::npos);
  CHECK(problems("{value_env: T, actions: [sql.query@1], recipe: [a]}").find("did you mean `recipes`") !=
        std::string::npos);
  CHECK(problems("{value_env: T, actions: [sql.qurey@1]}").find("did you mean `sql.query@1`") != std::string::npos);
  const auto no_field = problems("{value_env: T, actions: [\"file.*\"]}");
  CHECK(no_field.find("[no-secret-field]") != std::string::npos);
  CHECK(no_field.find("command.run@1") != std::string::npos);
  const auto name = parse_policy("secrets: {A: {value_env: T, actions: []}}", "policy.yaml", "/");
  REQUIRE_FALSE(name);
  CHECK(name.error().front().rule == "bad-name");
}

TEST_CASE("config check looks at the secret files and names of the policy", "[policy][secret][config]") {
  const test::TempDir dir;
  dir.write("agent.yaml", "version: 1\n");
  dir.write("connections.yaml", "connections: {local: {kind: sql, driver: sqlite, file: x.db}}\n");
  const auto rules = [&](const std::string& secret) {
    dir.write("policy.yaml", "commands: {post: {argv: [/bin/cat]}}\nsecrets: {t: " + secret + "}\n");
    std::string all;
    const auto config = load_config(dir.path());
    if (config) return std::string("none");
    for (const auto& problem : config.error()) all += to_string(problem) + "\n";
    return all;
  };
  const std::string good =
      "{value_file: t.secret, actions: [\"sql.*\", command.run@1], connections: [local], commands: [post]}";
  CHECK(rules(good).find("[secret-file]") != std::string::npos);  // not there
  const auto path = dir.write("t.secret", "hunter2\n");
  ::chmod(path.c_str(), 0644);
  CHECK(rules(good).find("chmod 600") != std::string::npos);
  CHECK(rules(good).find("hunter2") == std::string::npos);
  ::chmod(path.c_str(), 0600);
  CHECK(rules(good) == "none");
  CHECK(rules("{value_file: t.secret, actions: [sql.query@1], connections: [loca]}").find("[unknown-connection]") !=
        std::string::npos);
  CHECK(rules("{value_file: t.secret, actions: [command.run@1], commands: [pots]}").find("[unknown-command]") !=
        std::string::npos);
}
