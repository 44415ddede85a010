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
