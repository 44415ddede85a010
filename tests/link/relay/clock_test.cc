// What agents say of the time, from the wire to what the relay makes of it.
#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/timeout.h"
#include "tests/link/relay/gateway_rig.h"

#include <boost/asio/this_coro.hpp>

#include <limits>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const ServedPurpose kTells{.capability = std::string(agent::kClock), .purpose = "nothing/1", .serve = {}};

Bytes clock_message(std::int64_t wall_ms) {
  return control([&](auto& c) { c.mutable_clock()->set_wall_ms(wall_ms); });
}

// By how much the agents say that it is later than the agent's clock shows; nothing: they say nothing.
std::optional<std::chrono::milliseconds> off(const GatewayRig& rig, const MovableClock& clock) {
  const auto now = rig.clocks.now();
  return now ? std::optional(now->least - clock.wall()) : std::nullopt;
}

}  // namespace

ASYNC_TEST_CASE("an agent that links says what time it is, as long as it is linked", "[link][clock]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  rig.clocks.expect(1);
  RealAgent agent(rig, co_await rig.enrolled(), "none", 1, agent::Way::direct, kTells);
  agent.wall.advance(24h * 365);
  agent.start();
  const bool heard = co_await rig.until([&] { return rig.clocks.now().has_value(); });
  REQUIRE(heard);
  const auto late = off(rig, agent.wall);  // the agent's clock stands still
  CHECK(late >= 0ms);
  CHECK(late < 30s);
  co_await agent.finish();
  const bool silent = co_await rig.until([&] { return !rig.clocks.now(); });
  CHECK(silent);
  co_await rig.finish();
}

ASYNC_TEST_CASE("two links of an agent are one voice, which lasts until the last of them ends", "[link][clock]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  rig.clocks.expect(1);
  const auto identity = co_await rig.enrolled();
  Greeting greeting{.capabilities = {"jobs", std::string(link::kLinks), std::string(gateway::kClock)}};
  std::vector<RawAgent> links;
  for (greeting.link = 0; greeting.link < 2; ++greeting.link) {
    auto raw = co_await RawAgent::connect(rig, identity);
    REQUIRE(raw);
    const bool up = co_await raw->greet(hello(greeting));
    REQUIRE(up);
    links.push_back(*std::move(raw));
  }
  co_await links[1].write(clock_message(1'000));
  bool holds = co_await rig.until([&] { return rig.clocks.now().has_value(); });
  REQUIRE(holds);
  links[1].close();
  holds = co_await rig.until([&] { return rig.links.count() == 1; });
  REQUIRE(holds);
  CHECK(rig.clocks.now());
  links[0].close();
  holds = co_await rig.until([&] { return !rig.clocks.now(); });
  CHECK(holds);
  co_await rig.finish();
}

ASYNC_TEST_CASE("whatever an agent says of the time, its link stays and nobody else is concerned",
                "[link][clock][tenancy]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto theirs = co_await rig.world.settle("theirs");
  const auto their_identity = must(co_await rig.enrol(co_await rig.string_for(theirs)));
  rig.clocks.expect(2);
  RealAgent agent(rig, co_await rig.enrolled(), "none", 1, agent::Way::direct, kTells);
  agent.start();
  auto liar = co_await RawAgent::connect(rig, their_identity);
  REQUIRE(liar);
  const bool up = co_await liar->greet(hello());
  REQUIRE(up);
  for (const auto wall_ms : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                             std::int64_t{-1}, unix_ms(agent.wall.wall() + 24h * 365)}) {
    co_await liar->write(clock_message(wall_ms));
  }
  const bool heard = co_await rig.until([&] { return rig.clocks.now().has_value(); });
  REQUIRE(heard);
  CHECK(off(rig, agent.wall) < 30s);
  CHECK(rig.links.link_of(their_identity.id.org, their_identity.id.agent));
  liar->close();
  co_await agent.finish();
  co_await rig.finish();
}
