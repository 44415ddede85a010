#include "agent/app/engine_on_link.h"

#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::app {
namespace asio = boost::asio;
using agent::LinkState;

ASYNC_TEST_CASE("the engine stands still while the relay disowns the agent", "[app][link]") {
  runner::test::EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  const policy::Config config;
  const platform::ServiceHost host;
  EngineOnLink work(co_await asio::this_coro::executor, *bench.engine, config, host, bench.log());
  const auto suspended_after = [&](LinkState state, std::string disowned) {
    work.on_state({.state = state, .disowned = std::move(disowned)});
    return bench.engine->status().suspended;
  };
  CHECK_FALSE(suspended_after(LinkState::connecting, ""));
  CHECK_FALSE(suspended_after(LinkState::refused, ""));  // another protocol version: nobody took its place
  CHECK(suspended_after(LinkState::refused, "revoked"));
  CHECK(suspended_after(LinkState::connecting, "revoked"));
  CHECK(suspended_after(LinkState::connecting, ""));  // nothing was taken back yet
  CHECK_FALSE(suspended_after(LinkState::ready, ""));
  CHECK(suspended_after(LinkState::connecting, "quarantined"));
  CHECK(suspended_after(LinkState::stopped, "quarantined"));
  co_await bench.close();
}

ASYNC_TEST_CASE("until an engine that drains is at rest there may be something to report", "[app][link]") {
  runner::test::EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  const policy::Config config;
  const platform::ServiceHost host;
  const EngineOnLink work(co_await asio::this_coro::executor, *bench.engine, config, host, bench.log());
  REQUIRE(bench.engine->status().outbox.rows == 0);
  CHECK(work.has_to_report());  // the supervisor is told first
  co_await bench.engine->drain(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  CHECK_FALSE(work.has_to_report());
  co_await bench.close();
}

ASYNC_TEST_CASE("Hello names connections and kinds, and the health of those that were used", "[app][link][health]") {
  runner::test::EngineBench bench(co_await asio::this_coro::executor);
  policy::Config config;
  config.connections["erp"].name = "erp";
  config.connections["erp"].settings = policy::SqlConnection{};
  config.connections["share"].name = "share";
  config.connections["share"].settings = policy::FileConnection{.root = "/srv/secret-place"};
  co_await bench.open();
  const platform::ServiceHost host;
  EngineOnLink work(co_await asio::this_coro::executor, *bench.engine, config, host, bench.log());
  CHECK(work.policy_summary_json() ==
        R"({"connections":[{"kind":"sql","name":"erp"},{"kind":"file","name":"share"}]})");
  const std::vector<runner::ConnectionUse> uses = {{"erp", "", from_unix_ms(5)}, {"share", "timeout", from_unix_ms(6)}};
  CHECK(to_json(connection_summary(config.connections, uses)) ==
        R"({"connections":[{"at_ms":5,"detail":"","health":"healthy","kind":"sql","name":"erp"},)"
        R"({"at_ms":6,"detail":"timeout","health":"failing","kind":"file","name":"share"}]})");
  co_await bench.close();
}

TEST_CASE("the most connections there may be fit into one Hello, with the longest names and all failing",
          "[app][bounds]") {
  policy::Connections connections;
  std::vector<runner::ConnectionUse> uses;
  for (int i = 0; i < 400; ++i) {
    std::string name = "c" + std::to_string(1'000 + i);
    name.resize(63, 'x');
    connections[name].name = name;
    connections[name].settings = policy::FileConnection{};
    uses.push_back({name, "permission", from_unix_ms(4'102'444'800'000)});
  }
  constexpr std::size_t kMostOfAControl = 65'528;
  constexpr std::size_t kRestOfHello = 4'096;
  CHECK(to_json(connection_summary(connections, uses)).size() < kMostOfAControl - kRestOfHello);
}

}  // namespace sallyport::app
