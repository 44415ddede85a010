// A local secret through real steps: it arrives where it should, and leaves no trace anywhere else. What is searched:
// the journal with its write-ahead log, the spool, the log, and every message to the relay.
#include "tests/support/canary.h"

#include "agent/connectors/command/command_actions.h"
#include "agent/connectors/recipe_secrets.h"
#include "agent/connectors/sql/sql_actions.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/support/connector_site.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <boost/asio/this_coro.hpp>

namespace sallyport::runner {
using namespace test;
using sallyport::test::Canary;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kConnections = "connections: {erp: {kind: sql, driver: sqlite, file: @DIR@/erp.db}}";
constexpr const char* kPolicy = R"(actions: [command.run@1, "sql.*"]
connections: {erp: {sql: {verbs: [select, insert]}}}
commands:
  echo: {argv: [/bin/cat]}
  surroundings: {argv: [/usr/bin/env], recipe_environment: [TOKEN]}
  complain: {argv: [/bin/sh, -c, "cat; cat >&2; exit 3"]}
  count: {argv: [/usr/bin/wc, -c]}
secrets:
  token: {value_file: "@DIR@/token", actions: [command.run@1, "sql.*"], connections: [erp], commands: [echo, surroundings, complain]}
)";

// `@VALUE@` is where the value comes from. The last step is held, so that everything is there to be searched.
const std::string kSteps = R"yaml(
inputs: {value: {type: text}}
steps:
  - {id: spoken, uses: command.run@1, with: {template: echo, stdin: "${{ @VALUE@ }}"}}
  - {id: around, uses: command.run@1, with: {template: surroundings, environment: {TOKEN: "Bearer ${{ @VALUE@ }}"}}}
  - {id: failed, uses: command.run@1, on_failure: continue, with: {template: complain, stdin: "${{ @VALUE@ }}"}}
  - {id: encoded, uses: command.run@1, with: {template: echo, stdin: "${{ base64.encode(bytes(@VALUE@)) }}"}}
  - id: kept
    uses: sql.execute@1
    connection: erp
    with: {statement: "insert into t (v) values (:v)", params: {v: "${{ @VALUE@ }}"}}
  - {id: asked, uses: sql.query@1, connection: erp, with: {statement: "select :v as v", params: {v: "${{ @VALUE@ }}"}}}
  - id: doubled
    uses: sql.execute@1
    connection: erp
    on_failure: continue
    with: {statement: "insert into t (v) values (:v)", params: {v: "${{ @VALUE@ }}"}}
  - id: wrong
    uses: command.run@1
    on_failure: continue
    with: {template: echo, stdin: "${{ string(int(@VALUE@)) }}"}
  - id: each
    uses: command.run@1
    foreach: "${{ [1, 2] }}"
    with: {template: echo, stdin: "${{ string(item) + @VALUE@ }}"}
  - {id: last, uses: file.list@1, connection: c, with: {path: x}}
)yaml";

std::string steps_with(const std::string& value) {
  std::string text = kSteps;
  for (std::size_t at = 0; (at = text.find("@VALUE@", at)) != std::string::npos;) text.replace(at, 7, value);
  return canonical(text);
}

// The agent's runner with real commands and a real database below it.
class SecretBench {
 public:
  SecretBench(asio::any_io_executor executor, const Canary& canary)
      : site(kConnections, kPolicy), engine(std::move(executor)), secrets(site.site().policy, vault, engine.log()) {
    ::chmod(site.dir.write("token", canary.text() + "\n").c_str(), 0600);
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(site.dir.path("erp.db").c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "create table t (v text unique)", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    for (auto make : {connectors::command::make_actions, connectors::sql::make_actions}) {
      for (auto& action : make(site.site())) actions.push_back(std::move(action));
    }
    for (auto& action : actions) engine.more_actions.push_back(action.get());
    engine.secret = [this](const policy::SecretUse& use) { return secrets.take(use); };
  }

  // Everything that has left the agent or lies on its disk, and where the canary stands in it.
  Lines leaks(const Canary& canary) const {
    Lines found = canary.forms_below(engine.dir.path());
    for (const auto& message : engine.uplink->sent) {
      for (const auto& form : canary.forms_in(message)) found.push_back("message: " + form);
    }
    for (const auto& line : engine.logged()) {
      for (const auto& form : canary.forms_in(line)) found.push_back("log: " + form);
    }
    return found;
  }
  std::string target() const {  // what the database got
    std::ifstream in(site.dir.path("erp.db"), std::ios::binary);
    return {(std::istreambuf_iterator<char>(in)), {}};
  }

  sallyport::test::ConnectorSite site;
  vault::LocalVault vault;
  EngineBench engine;
  connectors::RecipeSecrets secrets;
  std::vector<std::unique_ptr<connectors::Action>> actions;
};

Canary fresh_canary() { return Canary("Qv7\"/+c4n4ry&" + std::to_string(::getpid()) + "<\\Zk9=%é"); }

asio::awaitable<void> run_to_the_last(SecretBench& bench, std::string recipe, std::string trigger_json) {
  co_await bench.engine.open();
  co_await bench.engine.link_up();
  bench.engine.list.hold();
  co_await bench.engine.say(dispatch(recipe, {.trigger_json = std::move(trigger_json)}));
  co_await until([&] { return bench.engine.list.begun() == 1; }, "everything before the last step is done");
}

asio::awaitable<void> run_one(SecretBench& bench, std::string steps) {
  co_await bench.engine.open();
  co_await bench.engine.link_up();
  co_await bench.engine.say(dispatch(canonical(steps)));
  co_await until([&] { return bench.engine.uplink->has("job_finished"); }, "the job ends");
  CHECK(bench.engine.uplink->has("job_finished failed"));
}

}  // namespace

ASYNC_TEST_CASE("a secret arrives at its target and leaves no other trace", "[secrets][canary]") {
  const Canary canary = fresh_canary();
  SecretBench bench(co_await asio::this_coro::executor, canary);
  co_await run_to_the_last(bench, steps_with("secrets.token"), R"({"kind":"manual","inputs":{}})");
  for (const char* step : {"spoken", "around", "encoded", "kept", "asked", "each"})
    CHECK(bench.engine.uplink->has(std::string("succeeded ") + step));
  for (const char* step : {"failed", "doubled", "wrong"})
    CHECK(bench.engine.uplink->has(std::string("failed ") + step));
  CHECK(canary.forms_in(bench.target()) == Lines{"raw"});
  CHECK(bench.leaks(canary) == Lines{});
  bench.engine.list.release();
  co_await until([&] { return bench.engine.uplink->has("job_finished succeeded"); }, "the job ends");
  CHECK(bench.leaks(canary) == Lines{});
  co_await bench.engine.close();
  CHECK(canary.forms_below(bench.engine.dir.path()) == Lines{});
}

ASYNC_TEST_CASE("the search finds what is no secret: the same job with the value as an input", "[secrets][canary]") {
  const Canary canary = fresh_canary();
  SecretBench bench(co_await asio::this_coro::executor, canary);
  const Value trigger(ValueMap{{"kind", "manual"}, {"inputs", Value(ValueMap{{"value", canary.text()}})}});
  co_await run_to_the_last(bench, steps_with("inputs.value"), to_json(trigger));
  const auto found = bench.leaks(canary);
  CHECK(std::ranges::find(found, "message: JSON") != found.end());
  CHECK(std::ranges::find(found, "message: base64") != found.end());
  bench.engine.list.release();
  co_await bench.engine.close();
}

TEST_CASE("the search knows every form, wherever it stands", "[secrets][canary]") {
  const Canary canary = fresh_canary();
  const sallyport::test::TempDir dir;
  for (const auto& [name, form] : canary.forms()) {
    INFO(name << ": " << form);
    CHECK(form.size() > canary.text().size() / 2);
    dir.write("file", "before " + form + " after");
    CHECK_FALSE(canary.forms_below(dir.path()).empty());
  }
  for (std::size_t before = 0; before < 6; ++before) {
    const std::string text = std::string(before, 'a') + canary.text() + "tail";
    CHECK_FALSE(canary.forms_in(base64(as_bytes(text))).empty());
    CHECK_FALSE(canary.forms_in(base64url(as_bytes(text))).empty());
  }
  CHECK(canary.forms_in("something else").empty());
}

ASYNC_TEST_CASE("a refused secret names its rule in the agent's log and to the relay", "[secrets][policy]") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"template: count, stdin: \"${{ secrets.token }}\"", "policy.yaml:9 secrets.token.commands"},
      {"template: echo, stdin: \"${{ secrets.other }}\"", "policy.yaml secrets"}};
  for (const auto& [with, rule] : table) {
    INFO(with);
    const Canary canary = fresh_canary();
    SecretBench bench(co_await asio::this_coro::executor, canary);
    co_await run_one(bench, "steps:\n  - {id: a, uses: command.run@1, with: {" + with + "}}\n");
    CHECK(bench.engine.uplink->has("event policy.refused " + rule));
    const auto logged = bench.engine.logged();
    CHECK(std::ranges::any_of(logged, [&](const std::string& line) {
      return line.contains("policy.refused") && line.contains("\"rule\":\"" + rule + "\"");
    }));
    CHECK(bench.leaks(canary) == Lines{});
    co_await bench.engine.close();
  }
}

ASYNC_TEST_CASE("a secret that cannot be read fails its step; the relay hears neither path nor reason", "[secrets]") {
  for (const char* error_class : {"permission", "not_found"}) {
    INFO(error_class);
    const Canary canary = fresh_canary();
    SecretBench bench(co_await asio::this_coro::executor, canary);
    const auto path = bench.site.dir.path("token");
    ::chmod(path.c_str(), 0644);
    if (std::string_view(error_class) == "not_found") std::filesystem::remove(path);
    co_await run_one(
        bench, "steps:\n  - {id: a, uses: command.run@1, with: {template: echo, stdin: \"${{ secrets.token }}\"}}\n");
    std::string said;
    for (const auto& message : bench.engine.uplink->sent) said += message;
    CHECK(said.contains("the agent cannot read its secret token"));
    CHECK(said.contains(error_class));
    CHECK_FALSE(said.contains(bench.site.dir.path()));
    const auto logged = bench.engine.logged();
    CHECK(std::ranges::any_of(
        logged, [&](const std::string& line) { return line.contains("secret.unreadable") && line.contains(path); }));
    co_await bench.engine.close();
  }
}

}  // namespace sallyport::runner
