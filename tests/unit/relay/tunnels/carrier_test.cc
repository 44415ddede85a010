#include "relay/tunnels/carrier.h"

#include "shared/async/timeout.h"
#include "tests/unit/relay/tunnels/tunnel_bench.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tunnels::EntranceState;
namespace asio = boost::asio;

ASYNC_TEST_CASE("bytes go through both ways, each end by itself, and the record has them", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  co_await send(client, "select 1");
  auto text = co_await read_until(target, 8);
  CHECK(text == "select 1");
  CHECK(bench.carrier.standing(tunnel).open_connections == 1);
  const auto open = bench.carrier.open_connections(tunnel.id);
  REQUIRE(open.size() == 1);
  CHECK(open[0].agent == kAgent);
  CHECK(open[0].source == "127.0.0.1");
  CHECK(open[0].to_target == 8);
  const bool begun = co_await bench.until([&] { return bench.book.records.size() == 1; });
  CHECK(begun);
  CHECK(bench.book.records.begin()->second.end.empty());

  finish(client);
  text = co_await read_to_end(target);
  CHECK(text.empty());
  co_await send(target, "one row");
  finish(target);
  text = co_await read_to_end(client);
  CHECK(text == "one row");
  const bool ended = co_await bench.ended("finished");
  REQUIRE(ended);
  const auto record = bench.record("finished");
  CHECK(record.id == open[0].id);
  CHECK(record.tunnel == tunnel.id);
  CHECK(record.to_target == 8);
  CHECK(record.from_target == 7);
  CHECK(record.closed_at >= record.opened_at);
  const auto standing = bench.carrier.standing(tunnel);
  CHECK(standing.entrance == EntranceState::listening);
  CHECK(standing.open_connections == 0);
  CHECK(standing.to_target == 8);
  CHECK(standing.from_target == 7);
  CHECK(bench.counted("sallyport_tunnel_bytes_total{direction=\"to_target\"}") == 8);
  CHECK(bench.counted("sallyport_tunnel_connections_ended_total{end=\"finished\"}") == 1);
  CHECK(bench.counted("sallyport_tunnel_connections") == 0);
  co_await bench.finish();
}

ASYNC_TEST_CASE("why a connection could not be carried stands in its record", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto forbidden = bench.tunnel("forbidden"), down = bench.tunnel(), good = bench.tunnel();
  for (const auto& one : {forbidden, down, good}) REQUIRE(bench.carrier.put(one));
  const auto port = bench.target.local_endpoint().port();
  bench.target.close();

  bool away = co_await bench.turned_away(forbidden);
  CHECK(away);
  bool ended = co_await bench.ended("refused_by_policy");
  REQUIRE(ended);
  CHECK(bench.record("refused_by_policy").detail.find("no rule allows forbidden:" + std::to_string(port)) !=
        std::string::npos);

  away = co_await bench.turned_away(down);
  CHECK(away);
  ended = co_await bench.ended("unreachable");
  REQUIRE(ended);
  CHECK(bench.record("unreachable").detail.find("refused") != std::string::npos);

  bench.agents.full = true;
  away = co_await bench.turned_away(good);
  CHECK(away);
  ended = co_await bench.ended("too_many");
  REQUIRE(ended);
  CHECK(bench.record("too_many").detail.find("agt_1") != std::string::npos);

  bench.agents.session = nullptr;
  away = co_await bench.turned_away(good);
  CHECK(away);
  ended = co_await bench.ended("no_agent");
  REQUIRE(ended);
  CHECK_FALSE(bench.record("no_agent").agent);
  co_await bench.finish();
}

ASYNC_TEST_CASE("a reset of either side is passed on and named", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  {
    auto client = co_await bench.dial(tunnel);
    auto target = co_await bench.taken();
    reset_by_rst(client);
    const auto bad = co_await read_error(target);
    CHECK(bad == asio::error::connection_reset);
    const bool ended = co_await bench.ended("client_reset");
    CHECK(ended);
  }
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  reset_by_rst(target);
  const auto bad = co_await read_error(client);
  CHECK(bad == asio::error::connection_reset);
  const bool ended = co_await bench.ended("target_reset");
  CHECK(ended);
  co_await bench.finish();
}

ASYNC_TEST_CASE("pausing, removing and the tunnel's end cut what is open and close the port", "[tunnels]") {
  struct Case {
    std::string end;
    EntranceState state;
    std::function<void(TunnelBench&, store::Tunnel&)> cut;
  };
  const auto pause = [](TunnelBench& bench, store::Tunnel& tunnel) {
    tunnel.status = store::TunnelStatus::paused;
    CHECK(bench.carrier.put(tunnel));
  };
  const auto drop = [](TunnelBench& bench, store::Tunnel& tunnel) {
    bench.carrier.drop(tunnel.id);
    bench.carrier.drop(tunnel.id);  // again: nothing
  };
  const auto expire = [](TunnelBench& bench, store::Tunnel&) { bench.clock.shift += 2h; };
  for (const auto& one : {Case{"paused", EntranceState::paused, pause}, Case{"removed", EntranceState::failed, drop},
                          Case{"expired", EntranceState::expired, expire}}) {
    INFO(one.end);
    TunnelBench bench(co_await asio::this_coro::executor);
    co_await bench.start();
    auto tunnel = bench.tunnel();
    tunnel.expires_at = bench.clock.wall() + 1h;
    REQUIRE(bench.carrier.put(tunnel));
    auto client = co_await bench.dial(tunnel);
    auto target = co_await bench.taken();
    one.cut(bench, tunnel);
    const auto client_sees = co_await read_error(client), target_sees = co_await read_error(target);
    CHECK(client_sees == asio::error::connection_reset);
    CHECK(target_sees == asio::error::connection_reset);
    const bool ended = co_await bench.ended(one.end);
    CHECK(ended);
    CHECK(bench.carrier.standing(tunnel).entrance == one.state);
    tcp::socket late(bench.on);
    boost::system::error_code bad;
    late.connect({asio::ip::make_address(tunnel.listener->address), tunnel.listener->port}, bad);
    CHECK(bad == asio::error::connection_refused);
    co_await bench.finish();
  }
}

ASYNC_TEST_CASE("a tunnel that is resumed listens again, one that has ended does not begin", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  tunnel.status = store::TunnelStatus::paused;
  REQUIRE(bench.carrier.put(tunnel));
  CHECK(bench.carrier.standing(tunnel).entrance == EntranceState::paused);
  tunnel.status = store::TunnelStatus::active;
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  REQUIRE(bench.carrier.put(tunnel));  // again: nothing is cut
  CHECK(bench.carrier.standing(tunnel).open_connections == 1);

  auto over = bench.tunnel();
  over.expires_at = bench.clock.wall() - 1s;
  CHECK(bench.carrier.put(over));
  CHECK(bench.carrier.standing(over).entrance == EntranceState::expired);
  auto portless = bench.tunnel();
  portless.listener.reset();
  CHECK(bench.carrier.put(portless));
  CHECK(bench.carrier.standing(portless).entrance == EntranceState::none);
  co_await bench.finish();
}

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

ASYNC_TEST_CASE("the record of an open connection follows its bytes", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  const bool begun = co_await bench.until([&] { return bench.book.records.size() == 1; });
  CHECK(begun);
  co_await send(client, "select 1");
  co_await send(target, "one row");
  auto text = co_await read_until(target, 8);
  text += co_await read_until(client, 7);
  CHECK(text == "select 1one row");
  bench.clock.shift += 31s;
  const bool noted = co_await bench.until([&] { return bench.book.records.begin()->second.from_target == 7; });
  CHECK(noted);
  CHECK(bench.book.records.begin()->second.to_target == 8);
  CHECK_FALSE(bench.book.records.begin()->second.closed_at);
  const auto batches = bench.book.batches.size();
  bench.clock.shift += 31s;
  co_await sleep_for(50ms);
  CHECK(bench.book.batches.size() == batches);  // nothing new, nothing written
  co_await bench.finish();
}

ASYNC_TEST_CASE("a fault while a connection is taken costs no listener", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  bench.clock.faults = 1;
  (void)co_await bench.turned_away(tunnel);  // it ends, in whatever way
  CHECK(bench.clock.faults == 0);
  const bool listens =
      co_await bench.until([&] { return bench.carrier.standing(tunnel).entrance == EntranceState::listening; });
  CHECK(listens);
  CHECK(bench.carrier.standing(tunnel).open_connections == 0);
  CHECK(bench.lines.count("a fault of the test") == 1);
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  co_await bench.finish();
}

ASYNC_TEST_CASE("a tunnel that had ended by a clock which was wrong listens again", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  tunnel.expires_at = bench.clock.wall() + 1h;
  REQUIRE(bench.carrier.put(tunnel));
  const auto is = [&](EntranceState state) { return bench.carrier.standing(tunnel).entrance == state; };
  bench.clock.shift += 2h;
  const bool expired = co_await bench.until([&] { return is(EntranceState::expired); });
  CHECK(expired);
  bench.clock.shift -= 2h;
  const bool listens = co_await bench.until([&] { return is(EntranceState::listening); });
  CHECK(listens);
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

ASYNC_TEST_CASE("a connection without a byte for as long as the limit says is ended", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  tunnel.limits.idle = 1s;
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  const bool ended = co_await bench.ended("idle");
  CHECK(ended);
  co_await bench.finish();
}

ASYNC_TEST_CASE("a link that is lost ends what it carried", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  bench.agents.session = nullptr;
  bench.link.relay.session->stop("the test cuts it");
  const auto bad = co_await read_error(client);
  CHECK(bad == asio::error::connection_reset);
  const bool ended = co_await bench.ended("link_lost");
  CHECK(ended);
  co_await bench.finish();
}

ASYNC_TEST_CASE("a relay that stops closes its ports, ends what is open and sees the records off", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  co_await bench.stop_carrier();
  CHECK(bench.book.ended("relay_stopped") == 1);  // when run() has returned
  CHECK(bench.carrier.put(tunnel).error().code == Errc::unavailable);
  CHECK(bench.counted("sallyport_tunnel_listeners") == 0);
  co_await bench.finish();
}

ASYNC_TEST_CASE("what is under way when the relay stops may end within the drain time", "[tunnels][stop]") {
  auto limits = quick();
  limits.drain = 10s;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  bench.stop_carrier_soon();
  const bool closed = co_await bench.until([&] { return bench.counted("sallyport_tunnel_listeners") == 0; });
  REQUIRE(closed);
  const auto begin = std::chrono::steady_clock::now();
  for (int part = 0; part < 8; ++part) {
    co_await send(target, std::string(64u << 10, 'x'));
    const auto text = co_await read_until(client, 64u << 10);
    CHECK(text.size() == 64u << 10);
  }
  finish(target);
  finish(client);
  const bool ended = co_await bench.ended("finished");
  CHECK(ended);
  co_await bench.finish();  // at once: nothing is open
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(bench.book.ended("relay_stopped") == 0);
}

ASYNC_TEST_CASE("what is still open after the drain time is cut, and has its record", "[tunnels][stop]") {
  auto limits = quick();
  limits.drain = 100ms;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto client = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  bench.stop_carrier_soon();
  const auto bad = co_await read_error(client);
  CHECK(bad == asio::error::connection_reset);
  co_await bench.finish();
  CHECK(bench.book.ended("relay_stopped") == 1);
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

ASYNC_TEST_CASE("at start all tunnels are taken up, and what an earlier process left open is closed", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  for (int n = 0; n < 5; ++n) bench.book.tunnels.push_back(bench.tunnel());
  auto& paused = bench.book.tunnels[3];
  paused.status = store::TunnelStatus::paused;
  bench.book.tunnels[4].listener->address = "192.0.2.1";  // not allowed here
  const TunnelConnectionId left("tcn_left");
  bench.book.records[left] = {.id = left, .tunnel = paused.id, .source = "127.0.0.1"};
  co_await bench.start();
  CHECK(bench.book.records[left].end == "relay_stopped");
  CHECK(bench.book.records[left].closed_at);
  for (std::size_t n = 0; n < 5; ++n) {
    INFO(n);
    const auto state = bench.carrier.standing(bench.book.tunnels[n]).entrance;
    CHECK(state == (n < 3 ? EntranceState::listening : n == 3 ? EntranceState::paused : EntranceState::failed));
  }
  auto client = co_await bench.dial(bench.book.tunnels[2]);
  auto target = co_await bench.taken();
  co_await bench.finish();
}

ASYNC_TEST_CASE("a store that does not answer keeps the relay from starting", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  bench.book.broken = Error{Errc::unavailable, "the disk is full"};
  const auto loaded = co_await bench.carrier.load();
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message == "the disk is full");
}

ASYNC_TEST_CASE("a port that somebody has is tried again until it is free", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  const auto tunnel = bench.tunnel();
  tcp::acceptor squatter(bench.on, {asio::ip::make_address(tunnel.listener->address), tunnel.listener->port});
  const auto put = bench.carrier.put(tunnel);
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Errc::conflict);
  auto standing = bench.carrier.standing(tunnel);
  CHECK(standing.entrance == EntranceState::failed);
  CHECK(standing.problem.find("another program has this port") != std::string::npos);
  CHECK(bench.counted("sallyport_tunnel_listeners_failed") == 1);
  squatter.close();
  const bool listens =
      co_await bench.until([&] { return bench.carrier.standing(tunnel).entrance == EntranceState::listening; });
  CHECK(listens);
  CHECK(bench.carrier.standing(tunnel).problem.empty());
  CHECK(bench.lines.count("tunnel.not_listening") == 1);  // told once, however often it was tried
  CHECK(bench.counted("sallyport_tunnel_listeners_failed") == 0);
  co_await bench.finish();
}

ASYNC_TEST_CASE("where a tunnel may listen, and where not", "[tunnels]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick(),
                    {.networks = {"127.0.0.0/8", "::1"}, .own_ports = {8'443, 8'444}});
  struct Case {
    domain::TunnelListener listener;
    std::string_view says;  // "": allowed
  };
  for (const auto& one : {
           Case{{"127.0.0.1", 5'432}, ""},
           Case{{"::1", 5'432}, ""},
           Case{{"10.0.0.1", 5'432}, "tunnels.listen in its relay.yaml"},
           Case{{"0.0.0.0", 5'432}, "this relay allows 127.0.0.0/8, ::1"},
           Case{{"::", 5'432}, "may not listen on ::"},
           Case{{"localhost", 5'432}, "may not listen on localhost"},
           Case{{"127.0.0.1", 8'443}, "the relay itself has it"},
           Case{{"127.0.0.1", 8'444}, "the relay itself has it"},
           Case{{"127.0.0.1", 0}, "it is no port"},
           Case{{"127.0.0.1", 1'024}, ""},
           Case{{"127.0.0.1", 1'023}, "port 1023: this relay allows 1024-65535 (tunnels.ports in its relay.yaml)"},
       }) {
    INFO(one.listener.address << " " << one.listener.port);
    const auto checked = bench.carrier.check_listener(one.listener);
    CHECK(checked.has_value() == one.says.empty());
    if (checked) continue;
    CHECK(checked.error().code == Errc::forbidden);
    CHECK(checked.error().message.find(one.says) != std::string::npos);
  }
  auto tunnel = bench.tunnel();
  tunnel.listener = domain::TunnelListener{"10.0.0.1", 5'432};
  const auto put = bench.carrier.put(tunnel);
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Errc::invalid);
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
