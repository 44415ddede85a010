#include "tests/link/tunnels/tunnel_site.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

ASYNC_TEST_CASE("bytes go through a tunnel both ways, and each direction ends by itself", "[link][tunnels]") {
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto tunnel = co_await site.open();
  auto client = co_await site.dial(tunnel);
  auto target = co_await site.taken();
  co_await send(client, "select 1");
  finish(client);
  auto text = co_await read_to_end(target);
  CHECK(text == "select 1");
  const std::string rows(300'000, 'r');
  co_await send(target, rows);
  finish(target);
  text = co_await read_to_end(client);
  CHECK(text == rows);

  const auto record = co_await site.ended(tunnel.id, "finished");
  CHECK(record.agent == site.agent_id);
  CHECK(record.source == "127.0.0.1");
  CHECK(record.to_target == 8);
  CHECK(record.from_target == rows.size());
  CHECK(record.detail.empty());
  const auto foreign = co_await site.rig.world.stores.tunnels.list_connections(OrgId("org_B"), tunnel.id, {});
  CHECK_FALSE(foreign);
  co_await site.finish();
}

ASYNC_TEST_CASE("what the agent's policy does not allow is refused with its rule, what is down is unreachable",
                "[link][tunnels]") {
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto forbidden = co_await site.open([](store::Tunnel& tunnel) { tunnel.host = "10.0.0.5"; });
  const auto down = co_await site.open([](store::Tunnel& tunnel) { tunnel.port = 1; });
  for (const auto& one : {forbidden, down}) {
    const bool away = co_await site.turned_away(one);
    CHECK(away);
  }
  auto record = co_await site.ended(forbidden.id, "refused_by_policy");
  CHECK(record.agent == site.agent_id);
  INFO(record.detail);
  CHECK(record.detail.find("policy.yaml") != std::string::npos);
  record = co_await site.ended(down.id, "unreachable");
  CHECK_FALSE(record.detail.empty());
  co_await site.finish();
}

ASYNC_TEST_CASE("an agent says of a target whether it is allowed and whether it answers", "[link][tunnels]") {
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto org = site.rig.tenant.org;
  const auto group = site.rig.tenant.group;
  auto reach = co_await site.carrier.reach(org, group, std::nullopt, {"127.0.0.1", site.port});
  CHECK(reach.asked);
  CHECK(reach.agent == site.agent_id);
  CHECK(reach.allowed);
  CHECK(reach.answers);
  reach = co_await site.carrier.reach(org, group, site.agent_id, {"127.0.0.1", 1});
  CHECK(reach.allowed);
  CHECK_FALSE(reach.answers);
  CHECK_FALSE(reach.detail.empty());
  reach = co_await site.carrier.reach(org, group, std::nullopt, {"10.0.0.5", 22});
  CHECK(reach.asked);
  CHECK_FALSE(reach.allowed);
  CHECK(reach.rule.find("policy.yaml") != std::string::npos);
  co_await site.agent->finish();
  const bool gone = co_await site.rig.until([&] { return site.rig.links.count() == 0; });
  REQUIRE(gone);
  reach = co_await site.carrier.reach(org, group, std::nullopt, {"127.0.0.1", site.port});
  CHECK_FALSE(reach.asked);
  CHECK_FALSE(reach.detail.empty());
  co_await site.finish();
}

ASYNC_TEST_CASE("without a linked agent a connection is closed at once", "[link][tunnels]") {
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto tunnel = co_await site.open();
  co_await site.agent->finish();
  const bool gone = co_await site.rig.until([&] { return site.rig.links.count() == 0; });
  REQUIRE(gone);
  const bool away = co_await site.turned_away(tunnel);
  CHECK(away);
  const auto record = co_await site.ended(tunnel.id, "no_agent");
  CHECK_FALSE(record.agent);
  co_await site.finish();
}

ASYNC_TEST_CASE("pause, removal, expiry and the end of the link cut what is open on both sides", "[link][tunnels]") {
  struct Case {
    std::string end;
    std::function<void(TunnelSite&, store::Tunnel)> cut;
  };
  const std::vector<Case> cases = {
      {"paused",
       [](TunnelSite& site, store::Tunnel tunnel) {
         tunnel.status = store::TunnelStatus::paused;
         must(site.carrier.put(tunnel));
       }},
      {"removed", [](TunnelSite& site, const store::Tunnel& tunnel) { site.carrier.drop(tunnel.id); }},
      {"expired", [](TunnelSite& site, const store::Tunnel&) { site.rig.world.clock.advance(2h); }},
      {"link_lost",
       [](TunnelSite& site, const store::Tunnel&) {
         site.rig.links.relink(site.rig.tenant.org, site.agent_id, "the test cuts it");
       }},
  };
  for (const auto& one : cases) {
    INFO(one.end);
    TunnelSite site(co_await asio::this_coro::executor);
    co_await site.start();
    const auto expires = site.rig.world.clock.wall() + 1h;
    const auto tunnel = co_await site.open([&](store::Tunnel& bent) { bent.expires_at = expires; });
    auto client = co_await site.dial(tunnel);
    auto target = co_await site.taken();
    co_await send(client, "abc");
    const auto text = co_await read_until(target, 3);
    CHECK(text == "abc");
    one.cut(site, tunnel);
    const auto client_sees = co_await read_error(client), target_sees = co_await read_error(target);
    CHECK(client_sees == asio::error::connection_reset);
    CHECK(target_sees == asio::error::connection_reset);
    const auto record = co_await site.ended(tunnel.id, one.end);
    CHECK(record.to_target == 3);
    CHECK(record.agent == site.agent_id);
    co_await site.finish();
  }
}

ASYNC_TEST_CASE("who may not come, or is one too many, is refused", "[link][tunnels]") {
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto narrow = co_await site.open([](store::Tunnel& tunnel) { tunnel.networks = {"127.0.0.9"}; });
  bool away = co_await site.turned_away(narrow, "127.0.0.2");
  CHECK(away);
  auto record = co_await site.ended(narrow.id, "not_allowed");
  CHECK(record.source == "127.0.0.2");
  CHECK_FALSE(record.agent);

  const auto single = co_await site.open([](store::Tunnel& tunnel) { tunnel.limits.connections = 1; });
  auto client = co_await site.dial(single);
  auto target = co_await site.taken();
  away = co_await site.turned_away(single);
  CHECK(away);
  const bool told = co_await site.rig.until([&] { return site.rig.lines.has({"tunnel.refused", "too_many"}); });
  CHECK(told);
  co_await send(client, "on");  // the first one goes on
  const auto text = co_await read_until(target, 2);
  CHECK(text == "on");
  co_await site.finish();
}

ASYNC_TEST_CASE("a relay that stops has every end in its store", "[link][tunnels]") {
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto tunnel = co_await site.open();
  auto client = co_await site.dial(tunnel);
  auto target = co_await site.taken();
  co_await site.stop_carrier();
  const auto records = co_await site.records(tunnel.id);
  REQUIRE(records.size() == 1);
  CHECK(records[0].end == "relay_stopped");
  const auto bad = co_await read_error(target);
  CHECK(bad == asio::error::connection_reset);
  co_await site.finish();
}

ASYNC_TEST_CASE("what a relay that died leaves open is closed at the next start", "[link][tunnels]") {
  auto limits = quick_limits();
  limits.renote = 20ms;
  TunnelSite site(co_await asio::this_coro::executor, limits);
  co_await site.start();
  const auto tunnel = co_await site.open();
  auto client = co_await site.dial(tunnel);
  auto target = co_await site.taken();
  co_await send(target, "220 welcome");
  auto text = co_await read_until(client, 11);
  const auto begun = co_await site.ended(tunnel.id, "");  // its begin is written
  CHECK_FALSE(begun.closed_at);
  co_await send(client, "EHLO");
  text += co_await read_until(target, 4);
  CHECK(text == "220 welcomeEHLO");
  co_await site.noted(tunnel.id, [](const auto& record) { return record.to_target == 4; });
  tunnels::Carrier next(site.rig.loop, {site.rig.world.stores.tunnels, site.rig.links, site.rig.world.clock,
                                        site.rig.log, site.rig.metrics});
  must(co_await next.load());
  const auto left = co_await site.ended(tunnel.id, "relay_stopped");
  CHECK(left.closed_at);
  CHECK(left.detail.find("ended without a word") != std::string::npos);
  CHECK(left.to_target == 4);  // as it was noted last
  CHECK(left.from_target == 11);
  CHECK(next.standing(tunnel).entrance == tunnels::EntranceState::failed);  // the port is still taken here
  next.drop(tunnel.id);
  finish(client);
  finish(target);
  co_await site.finish();
  const auto still = co_await site.records(tunnel.id);  // nobody changes what is closed
  REQUIRE(still.size() == 1);
  CHECK(still[0].end == "relay_stopped");
}

ASYNC_TEST_CASE("two hundred connections at once go through one link", "[link][tunnels]") {
  constexpr std::size_t kMost = 200;
  TunnelSite site(co_await asio::this_coro::executor);
  co_await site.start();
  const auto tunnel = co_await site.open([](store::Tunnel& bent) { bent.limits.connections = kMost; });
  std::vector<tcp::socket> clients, targets;
  for (std::size_t n = 0; n < kMost; ++n) clients.push_back(co_await site.dial(tunnel));
  for (std::size_t n = 0; n < kMost; ++n) targets.push_back(co_await site.taken());
  CHECK(site.carrier.standing(tunnel).open_connections == kMost);
  for (std::size_t n = 0; n < clients.size(); ++n) {
    co_await send(clients[n], fmt::format("{:04}", n));
    finish(clients[n]);
  }
  std::set<std::string> heard;
  for (auto& target : targets) {
    auto text = co_await read_to_end(target);
    co_await send(target, text);
    heard.insert(std::move(text));
    finish(target);
  }
  CHECK(heard.size() == kMost);
  for (std::size_t n = 0; n < clients.size(); ++n) {
    const auto text = co_await read_to_end(clients[n]);
    CHECK(text == fmt::format("{:04}", n));
  }
  const bool over = co_await site.rig.until([&] { return site.carrier.standing(tunnel).open_connections == 0; });
  CHECK(over);
  co_await site.stop_carrier();
  const auto records = co_await site.records(tunnel.id);
  CHECK(records.size() == kMost);
  CHECK(std::ranges::all_of(records, [](const auto& one) { return one.end == "finished" && one.to_target == 4; }));
  co_await site.finish();
}
