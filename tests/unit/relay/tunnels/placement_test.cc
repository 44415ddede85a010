#include "relay/tunnels/placement.h"

#include "tests/unit/relay/tunnels/tunnel_bench.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <memory>

using namespace sallyport;
using namespace sallyport::test;
using tunnels::Placement;
namespace asio = boost::asio;

namespace {

const TunnelId kTunnel("tun_1"), kOther("tun_2");

// Three agents of one group on one session.
struct ThreeAgents final : tunnels::AgentChannels {
  std::vector<AgentId> linked(const OrgId& org, const GroupId& group) const override {
    return org == kOrg && group == kGroup ? names : std::vector<AgentId>();
  }
  Result<link::Channel> open(const OrgId&, const AgentId& agent, std::string_view purpose) override {
    tried.push_back(agent);
    if (const auto bad = problems.find(agent); bad != problems.end()) return fail(bad->second, "as the test says");
    return session->open_channel(purpose);
  }
  bool is_linked(const OrgId& org, const AgentId& agent) const override {
    return org == kOrg && (std::ranges::find(names, agent) != names.end() || agent == elsewhere);
  }

  std::size_t places_left(const OrgId&, const AgentId&) const override { return left; }

  std::size_t left = 1'000;
  std::vector<AgentId> names{AgentId("agt_1"), AgentId("agt_2"), AgentId("agt_3")};
  AgentId elsewhere{"agt_4"};  // in another group
  std::map<AgentId, Errc> problems;
  std::vector<AgentId> tried;
  link::Session* session = nullptr;
};

}  // namespace

ASYNC_TEST_CASE("each connection goes to the agent that carries the fewest", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  ThreeAgents agents;
  agents.session = bench.link.relay.session.get();
  Placement placement(agents);
  std::vector<std::unique_ptr<Placement::Load>> loads;
  for (int n = 0; n < 9; ++n) {
    auto opened = placement.open({kOrg, kGroup}, "tunnel/1 forbidden:1");
    REQUIRE(opened);
    loads.push_back(std::make_unique<Placement::Load>(placement, opened->agent, kTunnel));
  }
  for (const auto& agent : agents.names) CHECK(placement.carried_by(agent) == 3);
  loads.clear();
  for (const auto& agent : agents.names) CHECK(placement.carried_by(agent) == 0);

  const AgentId pinned("agt_2");
  for (int n = 0; n < 3; ++n) {
    auto opened = placement.open({kOrg, kGroup, pinned}, "tunnel/1 forbidden:1");
    REQUIRE(opened);
    CHECK(opened->agent == pinned);
    loads.push_back(std::make_unique<Placement::Load>(placement, opened->agent, kTunnel));
  }
  loads.clear();
  co_await bench.finish();
}

ASYNC_TEST_CASE("when one agent cannot, the next one is asked; when none can, the error says why", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  ThreeAgents agents;
  agents.session = bench.link.relay.session.get();
  Placement placement(agents);
  agents.problems = {{AgentId("agt_1"), Errc::exhausted}, {AgentId("agt_2"), Errc::unavailable}};
  auto opened = placement.open({kOrg, kGroup}, "tunnel/1 forbidden:1");
  REQUIRE(opened);
  CHECK(opened->agent == AgentId("agt_3"));

  agents.problems[AgentId("agt_3")] = Errc::unavailable;
  opened = placement.open({kOrg, kGroup}, "tunnel/1 forbidden:1");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::exhausted);
  CHECK(opened.error().message.find("agt_1 has no room") != std::string::npos);

  agents.problems.erase(AgentId("agt_1"));
  agents.tried.clear();
  opened = placement.open({kOrg, kGroup, AgentId("agt_9")}, "tunnel/1 forbidden:1");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::unavailable);
  CHECK(agents.tried.empty());  // a pinned agent has no deputy
  CHECK(opened.error().message.find("agt_9 is not linked") != std::string::npos);
  opened = placement.open({kOrg, kGroup, agents.elsewhere}, "tunnel/1 forbidden:1");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::unavailable);
  CHECK(opened.error().message.find("agt_4 is not in the tunnel's group") != std::string::npos);
  CHECK(agents.tried.empty());
  opened = placement.open({OrgId("org_B"), kGroup}, "tunnel/1 forbidden:1");
  CHECK(opened.error().message.find("no agent of the group") != std::string::npos);
  co_await bench.finish();
}

ASYNC_TEST_CASE("a tunnel has seven times as many connections on an agent as that has places left, at most",
                "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  ThreeAgents agents;
  agents.session = bench.link.relay.session.get();
  agents.names.resize(1);
  Placement placement(agents);
  std::vector<std::unique_ptr<Placement::Load>> loads;
  const auto most_of = [&](const TunnelId& tunnel) {
    std::size_t taken = 0;
    for (; agents.left > 0 && taken < 2'000; ++taken, --agents.left) {
      const auto opened = placement.open({kOrg, kGroup, {}, tunnel}, "tunnel/1 forbidden:1");
      if (!opened) break;
      loads.push_back(std::make_unique<Placement::Load>(placement, opened->agent, tunnel));
    }
    return taken;
  };
  CHECK(most_of(kTunnel) == 875);
  CHECK(most_of(kOther) == 110);
  const auto refused = placement.open({kOrg, kGroup, {}, kTunnel}, "tunnel/1 forbidden:1");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::exhausted);
  CHECK(refused.error().message ==
        "agent agt_1 carries 875 connections of this tunnel, and what places it has left (15) are for other tunnels");
  CHECK(most_of(TunnelId("tun_3")) > 0);
  CHECK(placement.open({kOrg, kGroup}, "reach/1 forbidden:1"));  // a question is nobody's connection
  agents.names.emplace_back("agt_2");                            // the group grew
  CHECK(placement.open({kOrg, kGroup, {}, kTunnel}, "tunnel/1 forbidden:1"));
  loads.clear();
  CHECK(placement.carried_by(agents.names[0]) == 0);
  co_await bench.finish();
}
