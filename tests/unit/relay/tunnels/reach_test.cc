#include "relay/tunnels/reach.h"

#include "proto/sallyport/v1/tunnel.pb.h"
#include "shared/base/text.h"
#include "tests/unit/relay/tunnels/tunnel_bench.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

v1::Reach refused() {
  v1::Reach told;
  told.set_rule("tunnels[2]");
  told.set_detail("no rule allows db:5432");
  return told;
}

v1::Reach answering() {
  v1::Reach told;
  told.set_allowed(true);
  told.set_answers(true);
  told.set_connect_ms(7);
  return told;
}

Result<tunnels::Reach> parsed(const v1::Reach& told) {
  return tunnels::parse_reach(as_bytes(told.SerializeAsString()));
}

}  // namespace

TEST_CASE("an answer is read as it was meant", "[tunnels]") {
  const auto no = parsed(refused());
  REQUIRE(no);
  CHECK(no->asked);
  CHECK_FALSE(no->allowed);
  CHECK(no->rule == "tunnels[2]");
  CHECK(no->detail == "no rule allows db:5432");
  const auto yes = parsed(answering());
  REQUIRE(yes);
  CHECK(yes->allowed);
  CHECK(yes->answers);
  CHECK(yes->connect_ms == 7);
  CHECK(yes->detail.empty());
}

TEST_CASE("what contradicts itself is read on the safe side", "[tunnels]") {
  auto told = refused();
  told.set_answers(true);
  told.set_connect_ms(5);
  const auto reach = parsed(told);
  REQUIRE(reach);
  CHECK_FALSE(reach->allowed);
  CHECK_FALSE(reach->answers);
  CHECK(reach->connect_ms == 0);
}

TEST_CASE("an answer that is none, or too long, is refused", "[tunnels]") {
  auto long_rule = refused();
  long_rule.set_rule(std::string(1'001, 'r'));
  CHECK(parsed(long_rule).error().message.find("1,000 bytes") != std::string::npos);
  auto huge = refused();
  huge.set_detail(std::string(5'000, 'd'));
  CHECK(parsed(huge).error().message.find("4 KiB") != std::string::npos);
  const auto whole = refused().SerializeAsString();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto part = tunnels::parse_reach(as_bytes(whole.substr(0, cut)));
    if (!part) CHECK(part.error().code == Errc::invalid);
  }
  CHECK_FALSE(tunnels::parse_reach(as_bytes("\x12\x01\xff")));  // not UTF-8
}

ASYNC_TEST_CASE("an agent is asked and its answer comes back with its name", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  bench.agent.answer = answering();
  const auto reach = co_await bench.carrier.reach(kOrg, kGroup, std::nullopt, {"db", 5432});
  CHECK(reach.asked);
  CHECK(reach.agent == kAgent);
  CHECK(reach.allowed);
  CHECK(reach.answers);
  CHECK(bench.agent.purposes == std::vector<std::string>{"reach/1 db:5432"});
  co_await bench.finish();
}

ASYNC_TEST_CASE("a question without an answer says why", "[tunnels]") {
  tunnels::CarrierLimits limits;
  limits.reach = 50ms;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  bench.agent.answer = std::nullopt;  // silent
  auto reach = co_await bench.carrier.reach(kOrg, kGroup, kAgent, {"db", 5432});
  CHECK(reach.asked);
  CHECK_FALSE(reach.allowed);
  CHECK(reach.detail.find("timed out") != std::string::npos);

  bench.agent.reset_with = mux::ResetCode::internal;
  reach = co_await bench.carrier.reach(kOrg, kGroup, kAgent, {"db", 5432});
  CHECK(reach.asked);
  CHECK(reach.detail.find("as the test says") != std::string::npos);

  reach = co_await bench.carrier.reach(kOrg, kGroup, AgentId("agt_2"), {"db", 5432});
  CHECK_FALSE(reach.asked);
  CHECK(reach.detail.find("agt_2 is not linked") != std::string::npos);
  reach = co_await bench.carrier.reach(OrgId("org_B"), kGroup, std::nullopt, {"db", 5432});
  CHECK_FALSE(reach.asked);
  CHECK(reach.detail.find("no agent of the group") != std::string::npos);
  co_await bench.finish();
}
