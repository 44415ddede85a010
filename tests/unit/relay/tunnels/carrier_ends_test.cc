#include "relay/tunnels/carrier.h"

#include "shared/async/timeout.h"
#include "tests/unit/relay/tunnels/tunnel_bench.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tunnels::EntranceState;
namespace asio = boost::asio;

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
