#include "agent/app/engine_on_link.h"

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
  EngineOnLink work(*bench.engine, config, host, bench.log());
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

}  // namespace sallyport::app
