#include "agent/app/connection_tests.h"

#include "agent/app/toolbox.h"
#include "tests/support/connector_site.h"
#include "tests/support/free_port.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace sallyport;
using namespace sallyport::app;
using findings::Verdict;

namespace {

struct Machine {
  test::TempDir dir;
  policy::Config config;
  vault::LocalVault vault;
  SystemClock clock;
  FdSink sink{2};
  Log log{sink, clock, LogLevel::error};
  ConnectionTesting testing{config, vault, clock, log, std::chrono::seconds(5)};

  explicit Machine(const std::string& connections) {
    auto read = policy::parse_connections(connections, "connections.yaml", dir.path());
    REQUIRE(read);
    config.connections = *std::move(read);
  }
};

}  // namespace

TEST_CASE("every kind of connection has a test", "[connection_tests]") {
  Machine machine(
      "connections:\n"
      "  share: {kind: file, root: .}\n"
      "  lite: {kind: sql, driver: sqlite, file: x.db}\n"
      "  pg: {kind: sql, driver: postgres, host: name.invalid, database: d, user: u, password_env: NONE}\n"
      "  my: {kind: sql, driver: mysql, host: name.invalid, database: d, user: u, password_env: NONE}\n"
      "  web: {kind: http, url: \"https://name.invalid\"}\n"
      "  people: {kind: ldap, host: name.invalid, base: \"dc=x\"}\n"
      "  post: {kind: smtp, host: name.invalid, from: [a@b.example]}\n"
      "  exchange: {kind: ftps, host: name.invalid, user: u, password_env: NONE}\n"
      "  files: {kind: smb, host: name.invalid, share: s, user: u, password_env: NONE}\n"
      "  mq: {kind: amqp, host: name.invalid, user: u, password_env: NONE}\n"
      "  hooks: {kind: http-listen, port: 1, security: none, senders: [{path: /a, proof: bearer, secret_env: NONE}]}\n"
      "  events: {kind: kafka, brokers: [\"name.invalid:9093\"]}\n"
      "  drop: {kind: ssh, host: name.invalid, user: u, password_env: NONE, host_keys: [\"SHA256:" +
      std::string(43, 'A') + "\"]}\n");
  for (const auto& [name, connection] : machine.config.connections) {
    INFO(name);
    const auto findings = test_connection(machine.testing, name);
    REQUIRE(findings);
    REQUIRE_FALSE(findings->empty());
    CHECK(findings->front().text.find("nothing here tests") == std::string::npos);
  }
  for (const auto* name : {"pg", "my", "web", "people", "post", "drop", "exchange", "mq", "events"}) {
    INFO(name);
    const auto dns = test_connection(machine.testing, name);
    CHECK(dns->back().check == "dns");
    CHECK(dns->back().verdict == Verdict::bad);
  }
}

TEST_CASE("a server that does not listen is told from one that cannot be found", "[connection_tests]") {
  const auto port = std::to_string(test::free_port());
  Machine machine("connections: {pg: {kind: sql, driver: postgres, host: 127.0.0.1, port: " + port +
                  ", database: d, user: u, password_env: NONE}}");
  const auto findings = test_connection(machine.testing, "pg");
  REQUIRE(findings->size() == 2);
  CHECK(findings->front().check == "dns");
  CHECK(findings->front().verdict == Verdict::good);
  CHECK(findings->back().check == "tcp");
  CHECK(findings->back().verdict == Verdict::bad);
}

TEST_CASE("the doctor has one answer for each connection, and its notes", "[connection_tests]") {
  Machine machine("connections: {share: {kind: file, root: .}, gone: {kind: file, root: nothing}}");
  const auto all = test_connections(machine.testing);
  REQUIRE(all.size() == 3);  // gone, share, a note that the policy says nothing of share
  CHECK(all[0].verdict == Verdict::bad);
  CHECK(all[0].text.starts_with("gone (file): directory: "));
  CHECK(all[1].verdict == Verdict::good);
  CHECK(all[2].verdict == Verdict::note);
}

TEST_CASE("an unknown connection is answered with the names that there are", "[connection_tests]") {
  Machine machine("connections: {share: {kind: file, root: .}}");
  const auto none = test_connection(machine.testing, "shared");
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("there are: share") != std::string::npos);
}
