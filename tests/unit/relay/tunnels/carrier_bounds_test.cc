#include "relay/tunnels/carrier.h"

#include "shared/async/timeout.h"
#include "tests/unit/relay/tunnels/desktop.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tunnels::EntranceState;
namespace asio = boost::asio;

ASYNC_TEST_CASE("who comes from elsewhere is refused, and none of them is unaccounted for", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  tunnel.networks = {"127.0.0.9/32"};
  REQUIRE(bench.carrier.put(tunnel));
  for (int n = 0; n < 20; ++n) {
    const bool away = co_await bench.turned_away(tunnel, "127.0.0.2");
    CHECK(away);
  }
  bool ended = co_await bench.ended("not_allowed");
  CHECK(ended);
  CHECK(bench.record("not_allowed").source == "127.0.0.2");
  CHECK(bench.counted("sallyport_tunnel_connections_ended_total{end=\"not_allowed\"}") == 20);
  CHECK(bench.agent.purposes.empty());
  bench.clock.shift += 61s;
  ended = co_await bench.ended("not_allowed", 2);
  CHECK(ended);
  const bool told = std::ranges::any_of(
      bench.book.records, [](const auto& one) { return one.second.detail.starts_with("19 more connections"); });
  CHECK(told);

  auto client = co_await bench.dial(tunnel, "127.0.0.9");
  auto target = co_await bench.taken();
  co_await bench.finish();
}

ASYNC_TEST_CASE("a client that comes again and again without being carried costs nine records a minute", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  struct Case {
    std::string end;
    store::Tunnel tunnel;
  };
  const std::vector<Case> cases = {
      {"refused_by_policy", bench.tunnel("forbidden")}, {"unreachable", bench.tunnel()}, {"no_agent", bench.tunnel()}};
  bench.target.close();
  for (const auto& [end, tunnel] : cases) {
    INFO(end);
    REQUIRE(bench.carrier.put(tunnel));
    if (end == "no_agent") bench.agents.session = nullptr;
    for (int n = 0; n < 300; ++n) {
      const bool away = co_await bench.turned_away(tunnel, fmt::format("127.0.0.{}", 1 + n % 12));
      CHECK(away);
    }
    const auto series = "sallyport_tunnel_connections_ended_total{end=\"" + end + "\"}";
    const bool all = co_await bench.until([&] { return bench.counted(series) == 300; });
    CHECK(all);
    bench.clock.shift += 61s;
    const bool ended = co_await bench.ended(end, 9);
    CHECK(ended);
    const bool told = std::ranges::any_of(
        bench.book.records, [&](const auto& one) { return one.second.detail.starts_with("292 more connections"); });
    CHECK(told);
    CHECK(bench.lines.count("tunnel.refused") == 9);
    bench.lines.lines.clear();
    bench.book.records.clear();
  }
  co_await bench.finish();
}

ASYNC_TEST_CASE("carried connections beyond the own records of a minute are told together, with all their bytes",
                "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  constexpr std::size_t kAll = 700;
  for (std::size_t n = 0; n < kAll; ++n) {
    auto client = co_await bench.dial(tunnel);
    auto target = co_await bench.taken();
    co_await send(client, "abc");
    finish(client);
    const auto text = co_await read_to_end(target);
    CHECK(text == "abc");
    co_await send(target, "five!");
    finish(target);
    const auto back = co_await read_to_end(client);
    CHECK(back == "five!");
  }
  const bool all = co_await bench.until([&] { return bench.carrier.standing(tunnel).open_connections == 0; });
  CHECK(all);
  auto late = co_await bench.dial(tunnel);
  auto late_target = co_await bench.taken();
  bool ended = co_await bench.ended("finished", tunnels::Tally::kOwn);
  CHECK(ended);
  CHECK(bench.carrier.open_connections(tunnel.id).size() == 1);
  CHECK(bench.book.records.size() == tunnels::Tally::kOwn);
  bench.clock.shift += 61s;
  ended = co_await bench.ended("finished", tunnels::Tally::kOwn + 1);
  CHECK(ended);
  const bool begun = co_await bench.ended("", 1);  // the one that is open has its record now
  CHECK(begun);
  std::uint64_t to_target = 0, from_target = 0;
  for (const auto& [id, record] : bench.book.records) {
    to_target += record.to_target;
    from_target += record.from_target;
  }
  CHECK(to_target == 3 * kAll);
  CHECK(from_target == 5 * kAll);
  CHECK(bench.carrier.standing(tunnel).to_target == 3 * kAll);
  co_await bench.finish();
}

ASYNC_TEST_CASE("a workstation's connections, one after the other, have no more records than a listener's",
                "[tunnels][session]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
  co_await bench.start();
  const auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  constexpr std::size_t kAll = 700;
  for (std::size_t n = 0; n < kAll; ++n) {
    auto channel = co_await desktop.connect();
    co_await say(channel, "abc");
    auto target = co_await bench.taken();
    (void)channel.finish();
    const auto text = co_await read_to_end(target);
    CHECK(text == "abc");
    finish(target);
    (void)co_await hear(channel, 1);
    const bool none = co_await bench.until([&] { return bench.carrier.standing(tunnel).open_connections == 0; });
    REQUIRE(none);
  }
  bool ended = co_await bench.ended("finished", tunnels::Tally::kOwn);
  CHECK(ended);
  CHECK(bench.book.records.size() == tunnels::Tally::kOwn);
  desktop.end.session->stop("over");
  (void)co_await desktop.told();
  CHECK(bench.book.records.size() == tunnels::Tally::kOwn);
  bench.clock.shift += 61s;  // nobody is left, and the rest is told all the same
  ended = co_await bench.ended("finished", tunnels::Tally::kOwn + 1);
  CHECK(ended);
  const bool told = std::ranges::any_of(
      bench.book.records, [](const auto& one) { return one.second.detail.starts_with("100 more connections"); });
  CHECK(told);
  co_await bench.finish();
}

ASYNC_TEST_CASE("more connections than there are places are closed at once", "[tunnels]") {
  auto limits = quick();
  limits.connections = 5;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  auto small = bench.tunnel();
  small.limits.connections = 2;
  const auto other = bench.tunnel();
  REQUIRE(bench.carrier.put(small));
  REQUIRE(bench.carrier.put(other));
  std::list<tcp::socket> sockets;
  for (int n = 0; n < 2; ++n) {
    sockets.push_back(co_await bench.dial(small));
    sockets.push_back(co_await bench.taken());
  }
  bool away = co_await bench.turned_away(small);
  CHECK(away);
  bool ended = co_await bench.ended("too_many");
  CHECK(ended);
  CHECK(bench.record("too_many").detail == "the tunnel's 2 connections were open");

  sockets.push_back(co_await bench.dial(other));
  sockets.push_back(co_await bench.taken());
  away = co_await bench.turned_away(other);
  CHECK(away);
  ended = co_await bench.ended("too_many", 2);
  CHECK(ended);

  sockets.clear();
  const bool free = co_await bench.until([&] { return bench.carrier.standing(small).open_connections == 0; });
  CHECK(free);
  sockets.push_back(co_await bench.dial(small));
  sockets.push_back(co_await bench.taken());
  co_await bench.finish();
}

ASYNC_TEST_CASE("a tunnel that fills its agent leaves places there for other tunnels", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  bench.agents.places = 8;
  const auto greedy = bench.tunnel();
  const auto other = bench.tunnel();
  REQUIRE(bench.carrier.put(greedy));
  REQUIRE(bench.carrier.put(other));
  std::list<tcp::socket> sockets;
  for (int n = 0; n < 7; ++n) {
    sockets.push_back(co_await bench.dial(greedy));
    sockets.push_back(co_await bench.taken());
  }
  const bool away = co_await bench.turned_away(greedy);
  CHECK(away);
  const bool ended = co_await bench.ended("too_many");
  REQUIRE(ended);
  CHECK_THAT(bench.record("too_many").detail,
             Catch::Contains("carries 7 connections of this tunnel, and what places it has left (1)"));
  auto client = co_await bench.dial(other);
  auto target = co_await bench.taken();
  co_await send(client, "a word");
  const auto text = co_await read_until(target, 6);
  CHECK(text == "a word");
  co_await bench.finish();
}

ASYNC_TEST_CASE("one organisation alone gets half of the places for connections", "[tunnels]") {
  auto limits = quick();
  limits.connections = 4;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  const auto greedy = bench.tunnel();
  auto other = bench.tunnel();
  other.org = OrgId("org_B");
  REQUIRE(bench.carrier.put(greedy));
  REQUIRE(bench.carrier.put(other));
  std::list<tcp::socket> sockets;
  for (int n = 0; n < 2; ++n) {
    sockets.push_back(co_await bench.dial(greedy));
    sockets.push_back(co_await bench.taken());
  }
  const bool away = co_await bench.turned_away(greedy);
  CHECK(away);
  const bool ended = co_await bench.ended("too_many");
  REQUIRE(ended);
  CHECK_THAT(bench.record("too_many").detail, Catch::Contains("2 of this organisation"));
  sockets.push_back(co_await bench.dial(other));
  const bool taken_in = co_await bench.ended("no_agent");  // of its own
  CHECK(taken_in);
  co_await bench.finish();
}

ASYNC_TEST_CASE("no more ports are opened than the relay has files for", "[tunnels]") {
  auto limits = quick();
  limits.listeners = 1;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  const auto first = bench.tunnel(), second = bench.tunnel();
  REQUIRE(bench.carrier.put(first));
  const auto checked = bench.carrier.check_listener(*second.listener);  // before it is stored
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == Errc::exhausted);
  CHECK(checked.error().message.find("open files") != std::string::npos);
  const auto put = bench.carrier.put(second);
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Errc::exhausted);
  CHECK(bench.counted("sallyport_tunnel_listeners_failed") == 1);
  bench.carrier.drop(first.id);
  const bool listens =
      co_await bench.until([&] { return bench.carrier.standing(second).entrance == EntranceState::listening; });
  CHECK(listens);
  CHECK(bench.carrier.check_listener(*second.listener).error().code == Errc::exhausted);
  bench.carrier.drop(second.id);
  CHECK(bench.carrier.check_listener(*second.listener));
  co_await bench.finish();
}

ASYNC_TEST_CASE("two hundred connections at once, each with its own bytes", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  tunnel.limits.connections = 200;
  REQUIRE(bench.carrier.put(tunnel));
  std::vector<tcp::socket> clients, targets;
  for (int n = 0; n < 200; ++n) {
    clients.push_back(co_await bench.dial(tunnel));
    targets.push_back(co_await bench.taken());
  }
  CHECK(bench.carrier.standing(tunnel).open_connections == 200);
  for (std::size_t n = 0; n < clients.size(); ++n) co_await send(clients[n], fmt::format("{:04}", n));
  std::set<std::string> heard;
  for (auto& target : targets) {
    heard.insert(co_await read_until(target, 4));
    finish(target);
  }
  CHECK(heard.size() == 200);
  for (auto& client : clients) finish(client);
  const bool ended = co_await bench.ended("finished", 200);
  CHECK(ended);
  CHECK(bench.carrier.standing(tunnel).to_target == 800);
  CHECK(bench.book.batches.size() < 400);  // in batches
  co_await bench.finish();
}
