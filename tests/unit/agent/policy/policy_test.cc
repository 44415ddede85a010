#include "agent/policy/policy.h"

#include "shared/recipe/catalogue.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

constexpr std::string_view kPolicy = R"(version: 1
actions: ["file.*", sql.query@1, command.run@1]
limits: {run_time: 10m, rows: 1000, bytes: 1GiB}
connections:
  share:
    files:
      - {directory: in, pattern: "*.csv", allow: [read, delete]}
      - {directory: done, allow: [write]}
    limits: {rows: 5000, bytes: 10MiB}
  erp:
    sql: {verbs: [select, insert]}
  nothing: {}
commands:
  count:
    argv: [/usr/bin/wc, -l, "{file}"]
    parameters: {file: {max_length: 20}}
    user: nobody
    environment: {LANG: C}
    limits: {run_time: 30s, memory: 64MiB, output: 1MiB}
tunnels:
  - {target: "10.0.0.5:22"}
)";

Policy sample() {
  auto policy = parse_policy(kPolicy, "policy.yaml", "/etc/sallyport");
  if (!policy) throw std::runtime_error(to_string(policy.error().front()));
  return *std::move(policy);
}

std::string problems(std::string_view text) {
  const auto policy = parse_policy(text, "policy.yaml", "/etc/sallyport");
  if (policy) return "none";
  std::string all;
  for (const auto& problem : policy.error()) all += to_string(problem) + "\n";
  return all;
}

}  // namespace

TEST_CASE("nothing is allowed that is not written", "[policy]") {
  const Policy empty;
  CHECK_FALSE(empty.check_action("file.read@1", "share"));
  CHECK_FALSE(empty.check_file("share", FileVerb::read, "in/a.csv"));
  CHECK_FALSE(empty.check_directory("share", "in"));
  CHECK_FALSE(empty.check_sql("erp", "select 1", SqlDialect::sqlite));
  CHECK_FALSE(empty.find_command("count"));
  CHECK_FALSE(empty.check_tunnel("10.0.0.5", 22));
  CHECK(empty.sql_verbs("erp") == 0);
}

TEST_CASE("what reaches nothing on this machine needs no rule, and everything else does", "[policy]") {
  const Policy empty;
  constexpr std::array kFree{"log.write@1", "wait.for@1", "schedule@1", "manual@1", "webhook@1"};
  for (const auto* free : kFree) CHECK(empty.check_action(free, ""));
  std::size_t refused = 0;
  for (const auto& action : recipe::actions()) refused += empty.check_action(action.name, "").has_value() ? 0 : 1;
  for (const auto& trigger : recipe::triggers()) refused += empty.check_action(trigger.name, "").has_value() ? 0 : 1;
  CHECK(refused == recipe::actions().size() + recipe::triggers().size() - kFree.size());
  CHECK_FALSE(empty.check_action("csv.read@1", ""));
  CHECK_FALSE(empty.check_action("file.watch@1", "share"));
}

TEST_CASE("actions are allowed by name or kind, and need a rule for their connection", "[policy]") {
  const auto policy = sample();
  CHECK(policy.check_action("file.read@1", "share"));
  CHECK(policy.check_action("sql.query@1", "erp"));
  CHECK(policy.check_action("command.run@1", ""));
  const auto refused = policy.check_action("sql.execute@1", "erp");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "policy.yaml:2 actions");
  CHECK(policy.check_action("file.read@1", "other").error().rule == "policy.yaml connections");
  CHECK_FALSE(policy.check_action("filex.read@1", "share"));
}

TEST_CASE("files are allowed by directory, pattern and verb, and the rule is named", "[policy]") {
  const auto policy = sample();
  CHECK(policy.check_file("share", FileVerb::read, "in/a.csv"));
  CHECK(policy.check_file("share", FileVerb::remove, "in/sub/a.csv"));
  CHECK(policy.check_file("share", FileVerb::write, "done/a.csv"));
  CHECK(policy.check_directory("share", "in/sub"));

  struct Row {
    FileVerb verb;
    const char* path;
    const char* rule;
  };
  const Row refused[] = {
      {FileVerb::write, "in/a.csv", "policy.yaml:7 connections.share.files[0]"},
      {FileVerb::read, "done/a.csv", "policy.yaml:8 connections.share.files[1]"},
      {FileVerb::read, "in/a.txt", "policy.yaml:7 connections.share.files"},
      {FileVerb::read, "a.csv", "policy.yaml:7 connections.share.files"},
      {FileVerb::read, "inside/a.csv", "policy.yaml:7 connections.share.files"},
      {FileVerb::read, "in/.hidden.csv", "policy.yaml:7 connections.share.files"},
  };
  for (const auto& row : refused) {
    INFO(row.path);
    const auto verdict = policy.check_file("share", row.verb, row.path);
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().rule == row.rule);
    CHECK(verdict.error().message.find(row.path) != std::string::npos);
  }
  CHECK_FALSE(policy.check_directory("share", "."));
  CHECK_FALSE(policy.check_directory("share", "done"));
  CHECK_FALSE(policy.check_file("nothing", FileVerb::read, "a"));
  CHECK(policy.check_file("unknown", FileVerb::read, "a").error().rule == "policy.yaml connections");
}

TEST_CASE("statements need each of their verbs", "[policy][sql]") {
  const auto policy = sample();
  CHECK(policy.check_sql("erp", "insert into a select * from b", SqlDialect::postgres));
  const auto refused = policy.check_sql("erp", "with x as (delete from a returning *) select 1", SqlDialect::postgres);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "policy.yaml:11 connections.erp.sql.verbs");
  CHECK(refused.error().message.find("verb delete") != std::string::npos);
  CHECK(policy.check_sql("erp", "select 1; select 2", SqlDialect::postgres).error().message.find("more than one") !=
        std::string::npos);
  CHECK_FALSE(policy.check_sql("nothing", "select 1", SqlDialect::postgres));
  CHECK(to_string(policy.sql_verbs("erp")) == "select, insert");
}

TEST_CASE("limits of a connection narrow the general ones and never widen them", "[policy]") {
  const auto policy = sample();
  CHECK(policy.limits("erp").rows == 1000);
  CHECK(policy.limits("share").rows == 1000);  // 5000 is wider
  CHECK(policy.limits("share").bytes == 10u << 20);
  CHECK(policy.limits("unknown").run_time == std::chrono::minutes(10));
}

TEST_CASE("commands and tunnel targets are found by name", "[policy]") {
  const auto policy = sample();
  const auto command = policy.find_command("count");
  REQUIRE(command);
  CHECK((*command)->user == "nobody");
  CHECK((*command)->limits.memory == 64u << 20);
  CHECK((*command)->rule == "policy.yaml:14 commands.count");
  CHECK(policy.find_command("other").error().rule == "policy.yaml commands");
  CHECK(policy.check_tunnel("10.0.0.5", 22));
  const auto refused = policy.check_tunnel("10.0.0.5", 23);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "policy.yaml tunnels");
  CHECK(refused.error().message == "the local policy of this agent has no tunnel target 10.0.0.5:23");
}

TEST_CASE("tunnel targets are held in their one form, and compared byte by byte", "[policy]") {
  const auto policy = parse_policy(
      "tunnels: [{target: \"DB.Internal:5432\"}, {target: \"[2001:DB8:0::1]:443\"}, {target: \"10.0.0.5:22\"}]",
      "policy.yaml", "/");
  REQUIRE(policy);
  CHECK(policy->check_tunnel("db.internal", 5432));
  CHECK(policy->check_tunnel("2001:db8::1", 443));
  CHECK(policy->check_tunnel("10.0.0.5", 22));
  for (const std::string_view other : {"DB.Internal", "db.internal.", "db", "internal", "", "10.0.0.50", "::1"}) {
    INFO(other);
    for (const std::uint16_t port : {22, 443, 5432}) CHECK_FALSE(policy->check_tunnel(other, port));
  }
  CHECK_FALSE(policy->check_tunnel("db.internal", 5433));
  CHECK_FALSE(policy->check_tunnel("10.0.0.5", 5432));
  CHECK(policy->check_tunnel("2001:db8::1", 444).error().message ==
        "the local policy of this agent has no tunnel target [2001:db8::1]:444");
}

TEST_CASE("every action and trigger may stand in a policy, and every kind of them", "[policy]") {
  std::string all = "actions: [";
  const auto add = [&](std::string_view name) {
    if (!name.contains('.')) return;
    all += std::string(name) + ", \"" + std::string(name.substr(0, name.find('.'))) + ".*\", ";
  };
  for (const auto& action : recipe::actions()) add(action.name);
  for (const auto& trigger : recipe::triggers()) add(trigger.name);
  CHECK(problems(all + "]") == "none");
}

TEST_CASE("what is wrong with a policy is said with line and column", "[policy]") {
  struct Row {
    const char* text;
    const char* fragment;
  };
  const Row table[] = {
      {"actons: [x]", "policy.yaml:1:1: unknown key `actons` (did you mean `actions`?)"},
      {"actions: [sql]", "policy.yaml:1:11: an action is written sql.query@1"},
      {"actions: [\"*\"]", "an action is written"},
      {"actions: [sql.query@1, file.raed@1]",
       "policy.yaml:1:24: this agent has no action or trigger `file.raed@1` (did you mean `file.read@1`?)"},
      {"actions:\n  - file.wacth@1",
       "policy.yaml:2:5: this agent has no action or trigger `file.wacth@1` (did you mean "
       "`file.watch@1`?)"},
      {"actions: [sql.query@2]", "(did you mean `sql.query@1`?)"},
      {"actions: [\"flie.*\"]",
       "policy.yaml:1:11: no action or trigger of this agent matches `flie.*` (did you mean "
       "`file.*`?)"},
      {"actions: [nothing.like@1]", "has no action or trigger `nothing.like@1` [unknown-action]"},
      {"connections: {A: {}}", "no name for a connection"},
      {"connections: {a: {files: [{directory: ../x, allow: [read]}]}}", "without `..`"},
      {"connections: {a: {files: [{directory: /x, allow: [read]}]}}", "relative to the connection's root"},
      {"connections: {a: {files: [{directory: x, allow: [reed]}]}}", "did you mean `read`?"},
      {"connections: {a: {files: [{directory: x, pattern: a/b, allow: [read]}]}}", "`pattern` is for a file's name"},
      {"connections: {a: {files: [{directory: x}]}}", "needs `allow`"},
      {"connections: {a: {sql: {verbs: [drop]}}}", "`verbs` has no `drop`"},
      {"limits: {bytes: 10MB}", "must be a size"},
      {"limits: {rows: 0}", "rows"},
      {"commands: {a: {argv: [ls]}}", "absolute path"},
      {"commands: {a: {argv: [\"/bin/{x}\"]}}", "absolute path without a placeholder"},
      {"commands: {a: {argv: [/bin/ls, \"{x}\"]}}", "`x` is not declared"},
      {"commands: {a: {argv: [/bin/ls, \"{x\"]}}", "brace that does not match"},
      {"commands: {a: {argv: [/bin/ls], parameters: {x: {}}}}", "no argument uses `x`"},
      {"commands: {a: {argv: [/bin/ls], environment: {\"A=B\": c}}}", "names of variables"},
      {"tunnels: [{target: host}]", "`target` must be host:port"},
      {"tunnels: [{target: \"127.1:22\"}]", "four decimal numbers"},
      {"tunnels: [{target: \"[fe80::1%eth0]:22\"}]", "`target` must be host:port"},
      {"tunnels: [{target: \"a..b:22\"}]", "`target` must be host:port"},
      {"version: 2", "version"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto all = problems(row.text);
    INFO(all);
    CHECK(all.find(row.fragment) != std::string::npos);
  }
}
