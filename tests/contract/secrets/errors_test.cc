// Masked and secret values through the error paths of every connector, with the real thing behind each. What is
// searched: the journal, the spool, the log, and every message to the relay.
#include "agent/connectors/command/command_actions.h"
#include "agent/connectors/csv/csv_actions.h"
#include "agent/connectors/csv/csv_rows.h"
#include "agent/connectors/file/file_actions.h"
#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/json/json_actions.h"
#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/recipe_secrets.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/sql/sql_actions.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/support/canary.h"
#include "tests/support/connector_site.h"
#include "tests/support/postgres.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <boost/asio/this_coro.hpp>

namespace sallyport::runner {
using namespace test;
using sallyport::test::Canary;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kPolicy = R"(actions: ["command.run@1", "sql.*", "file.*", "csv.*", "json.*"]
connections:
  erp: {sql: {verbs: [select, insert]}}
  own: {sql: {verbs: [select, insert]}}
  files: {files: [{directory: ., allow: [read, write, delete]}]}
commands:
  value: {argv: [/bin/cat, "@DIR@/value"]}
  table: {argv: [/bin/cat, "@DIR@/table"]}
  complain: {argv: [/bin/sh, -c, "cat >&2; exit 3"]}
secrets:
  token: {value_file: "@DIR@/token", actions: [command.run@1, "sql.*"], connections: [erp, own], commands: [complain]}
)";

// Each fails, and quotes what it was given if it can. `@VALUE@` is that value, `@BODY@` a body with it. After each its
// error is written into the job's log, and at last it is the job's own.
const std::vector<std::string> kFailing{
    "uses: file.read@1, connection: files, with: {path: \"w/${{ @VALUE@ }}.txt\"}",
    "uses: file.list@1, connection: files, with: {path: \"w/${{ @VALUE@ }}\"}",
    "uses: file.write@1, connection: files, with: {path: \"${{ @VALUE@ }}/x/y\", content: x}",
    "uses: file.move@1, connection: files, with: {from: \"${{ @VALUE@ }}\", to: \"w/${{ @VALUE@ }}\"}",
    "uses: file.delete@1, connection: files, with: {path: \"../${{ @VALUE@ }}\"}",
    "uses: csv.read@1, with: {source: \"${{ steps.table.output.stdout }}\", delimiter: \";\"}",
    "uses: json.parse@1, with: {text: \"${{ @VALUE@ }}\"}",
    "uses: json.parse@1, with: {source: \"${{ @BODY@ }}\"}",
    "uses: command.run@1, with: {template: complain, stdin: \"${{ @VALUE@ }}\"}",
};
const std::vector<std::string> kQueries{"select to_tsquery(:p || ' x') as v", "select (:p)::text::regclass as v",
                                        "select set_config(:p, 'x', true) as v",
                                        "select cast(:p as text)::integer as v", "select v from t where v = :p"};

std::string query(const std::string& connection, const std::string& statement) {
  return fmt::format(
      "uses: sql.query@1, connection: {}, with: {{statement: \"{}\", params: {{p: \"${{{{ @VALUE@ }}}}\"}}}}",
      connection, statement);
}

std::string recipe_with(const Lines& failing, const std::string& value) {
  std::string steps =
      "inputs: {value: {type: text, default: none}}\nsteps:\n"
      "  - {id: seen, uses: command.run@1, mask: true, with: {template: value}}\n"
      "  - {id: table, uses: command.run@1, mask: true, with: {template: table}}\n";
  for (std::size_t i = 0; i < failing.size(); ++i) {
    steps += fmt::format(
        "  - {{id: s{0}, on_failure: continue, {1}}}\n"
        "  - {{id: l{0}, uses: log.write@1, with: {{text: \"${{{{ steps.s{0}.error.message }}}}\"}}}}\n",
        i, failing[i]);
  }
  steps += fmt::format("  - {{id: end, stop: {{status: failed, message: \"${{{{ steps.s{}.error.message }}}}\"}}}}\n",
                       failing.size() - 1);
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"@VALUE@", value}, {"@BODY@", "steps.seen.output.stdout"}}) {
    for (std::size_t at = 0; (at = steps.find(from, at)) != std::string::npos;) steps.replace(at, from.size(), to);
  }
  return canonical(steps);
}

sallyport::test::PostgresServer& postgres() {
  static sallyport::test::PostgresServer server;
  return server;
}

std::string connections() {
  return fmt::format(
      "connections:\n  files: {{kind: file, root: \"@DIR@\"}}\n  own: {{kind: sql, driver: sqlite, file: "
      "\"@DIR@/own.db\"}}\n"
      "  erp: {{kind: sql, driver: postgres, host: 127.0.0.1, port: {}, database: postgres, user: postgres, "
      "password_file: \"{}\"}}\n",
      postgres().port(), postgres().password_file());
}

class ErrorBench {
 public:
  ErrorBench(asio::any_io_executor executor, const Canary& canary)
      : site(connections(), kPolicy),
        engine(std::move(executor)),
        secrets(site.site().policy, vault, engine.log()),
        files(site.site()) {
    ::chmod(site.dir.write("token", canary.text()).c_str(), 0600);
    site.dir.write("value", canary.text());
    site.dir.write("table", canary.text() + ";" + canary.text() + "\n");
    site.dir.write("own.db", "");
    for (auto make : {connectors::command::make_actions, connectors::sql::make_actions, connectors::file::make_actions,
                      connectors::csv::make_actions, connectors::json::make_actions}) {
      for (auto& action : make(site.site())) actions.push_back(std::move(action));
    }
    for (auto& action : actions) engine.more_actions.push_back(action.get());
    engine.openers = {&files};
    engine.secret = [this](const policy::SecretUse& use) { return secrets.take(use); };
  }

  asio::awaitable<void> run(std::string recipe, std::string trigger_json = R"({"kind":"manual","inputs":{}})") {
    co_await engine.open();
    co_await engine.link_up();
    co_await engine.say(dispatch(recipe, {.trigger_json = std::move(trigger_json)}));
    co_await until([&] { return engine.uplink->has("job_finished failed"); }, "the job ends");
  }
  Lines told(const Canary& canary) const {
    Lines found;
    for (const auto& message : engine.uplink->sent) {
      for (const auto& form : canary.forms_in(message)) found.push_back("message: " + form);
    }
    for (const auto& line : engine.logged()) {
      for (const auto& form : canary.forms_in(line)) found.push_back("log: " + form);
    }
    return found;
  }
  Lines failed() const { return engine.uplink->lines_with(" failed s"); }

  sallyport::test::ConnectorSite site;
  vault::LocalVault vault;
  EngineBench engine;
  connectors::RecipeSecrets secrets;
  connectors::file::FileOpener files;
  std::vector<std::unique_ptr<connectors::Action>> actions;
};

Canary fresh_canary() { return Canary("c4n4ry" + std::to_string(::getpid())); }  // is a name wherever one is read

Lines all_failing() {
  Lines all = kFailing;
  for (const auto& statement : kQueries) all.push_back(query("erp", statement));
  all.push_back(query("own", "select load_extension(:p) as v"));
  all.push_back(query("own", "select json_extract(:p, '$') as v"));
  return all;
}

}  // namespace

ASYNC_TEST_CASE("no connector's error tells a masked value", "[secrets][canary][errors]") {
  const Canary canary = fresh_canary();
  ErrorBench bench(co_await asio::this_coro::executor, canary);
  const auto failing = all_failing();
  co_await bench.run(recipe_with(failing, "steps.seen.output.text"));
  CHECK(bench.failed().size() == failing.size());
  CHECK(bench.told(canary) == Lines{});
  co_await bench.engine.close();
  CHECK(canary.forms_below(bench.engine.dir.path()) == Lines{});  // a masked value is kept sealed until the job ends
}

ASYNC_TEST_CASE("no connector's error tells a secret", "[secrets][canary][errors]") {
  const Canary canary = fresh_canary();
  ErrorBench bench(co_await asio::this_coro::executor, canary);
  Lines failing{kFailing.back()};
  for (const auto& statement : kQueries) failing.push_back(query("erp", statement));
  failing.push_back(query("own", "select json_extract(:p, '$') as v"));
  co_await bench.run(recipe_with(failing, "secrets.token"));
  CHECK(bench.failed().size() == failing.size());
  CHECK(bench.told(canary) == Lines{});
  co_await bench.engine.close();
  CHECK(canary.forms_below(bench.engine.dir.path()) == Lines{});
}

ASYNC_TEST_CASE("the search finds what is neither: an input is quoted, by name", "[secrets][canary][errors]") {
  const Canary canary = fresh_canary();
  ErrorBench bench(co_await asio::this_coro::executor, canary);
  const Value trigger(ValueMap{{"kind", "manual"}, {"inputs", Value(ValueMap{{"value", canary.text()}})}});
  co_await bench.run(recipe_with({kFailing.front()}, "inputs.value"), to_json(trigger));
  std::string sent;
  for (const auto& message : bench.engine.uplink->sent) sent += message;
  CHECK(sent.contains("w/" + canary.text() + ".txt"));
  CHECK_FALSE(bench.told(canary).empty());
  co_await bench.engine.close();
}

ASYNC_TEST_CASE("PostgreSQL's words are not used once a statement runs, whatever its values",
                "[secrets][canary][errors]") {
  for (const auto& statement : kQueries) {
    INFO(statement);
    const Canary canary = fresh_canary();
    ErrorBench bench(co_await asio::this_coro::executor, canary);
    const Value trigger(ValueMap{{"kind", "manual"}, {"inputs", Value(ValueMap{{"value", canary.text()}})}});
    co_await bench.run(recipe_with({query("erp", statement)}, "inputs.value"), to_json(trigger));
    std::string words;
    for (const auto& line : bench.engine.logged()) words += line;
    for (const auto& message : bench.engine.uplink->sent) {
      if (message.contains("SQLSTATE")) words += message;
    }
    CHECK(words.contains("SQLSTATE"));
    CHECK(canary.forms_in(words) == Lines{});
    co_await bench.engine.close();
  }
}

}  // namespace sallyport::runner
