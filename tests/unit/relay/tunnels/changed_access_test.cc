#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/unit/relay/tunnels/desktop.h"
#include "tests/unit/relay/tunnels/tunnel_bench.h"

// A tunnel that is changed while connections are open.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("who is in none of a listener's networks any more is cut, others go on", "[tunnels][change]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  tunnel.networks = {"127.0.0.0/8"};
  REQUIRE(bench.carrier.put(tunnel));
  auto in = co_await bench.dial(tunnel, "127.0.0.1");
  auto in_target = co_await bench.taken();
  auto out = co_await bench.dial(tunnel, "127.0.0.2");
  auto out_target = co_await bench.taken();
  tunnel.networks = {"127.0.0.1/32"};
  REQUIRE(bench.carrier.put(tunnel));
  const bool ended = co_await bench.ended("access_ended");
  REQUIRE(ended);
  CHECK(bench.record("access_ended").source == "127.0.0.2");
  CHECK_THAT(bench.record("access_ended").detail, Catch::Contains("networks were changed"));
  const auto bad = co_await read_error(out);
  CHECK(bad == asio::error::connection_reset);
  CHECK(bench.carrier.standing(tunnel).open_connections == 1);
  co_await send(in, "still here");
  const auto text = co_await read_until(in_target, 10);
  CHECK(text == "still here");
  const bool away = co_await bench.turned_away(tunnel, "127.0.0.2");
  CHECK(away);
  co_await bench.finish();
}

ASYNC_TEST_CASE("changed limits hold for connections that begin later", "[tunnels][change]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto first = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  tunnel.limits = {.connections = 1, .idle = 1s};
  REQUIRE(bench.carrier.put(tunnel));
  const bool away = co_await bench.turned_away(tunnel);
  CHECK(away);
  const bool full = co_await bench.ended("too_many");
  CHECK(full);
  co_await send(first, "mine stays");
  const auto text = co_await read_until(target, 10);
  CHECK(text == "mine stays");
  co_await bench.finish();
}

ASYNC_TEST_CASE("an end that comes nearer cuts, and one that moves away opens again", "[tunnels][change]") {
  TunnelBench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  auto tunnel = bench.tunnel();
  REQUIRE(bench.carrier.put(tunnel));
  auto open = co_await bench.dial(tunnel);
  auto target = co_await bench.taken();
  tunnel.expires_at = bench.clock.wall() + 1h;
  REQUIRE(bench.carrier.put(tunnel));
  bench.clock.shift = 2h;
  const bool ended = co_await bench.ended("expired");
  CHECK(ended);
  CHECK(bench.carrier.standing(tunnel).entrance == tunnels::EntranceState::expired);
  tunnel.expires_at.reset();
  REQUIRE(bench.carrier.put(tunnel));
  CHECK(bench.carrier.standing(tunnel).entrance == tunnels::EntranceState::listening);
  auto again = co_await bench.dial(tunnel);
  auto next = co_await bench.taken();
  co_await bench.finish();
}

ASYNC_TEST_CASE("a session that a changed access lets in no more ends at once, its connections with the reason",
                "[tunnels][change][session]") {
  auto limits = quick_sessions();
  limits.session_times.check = 1h;  // so that only the change can make it ask
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  auto channel = co_await desktop.connect();
  auto target = co_await bench.taken();
  tunnel.access = {.roles = {domain::Role::owner}};
  REQUIRE(bench.carrier.put(tunnel));  // it may go on
  co_await say(channel, "hello");
  const auto text = co_await read_until(target, 5);
  CHECK(text == "hello");
  desktop.denial = {"forbidden", "this tunnel lets you in no more"};
  tunnel.access = {.roles = {}};
  REQUIRE(bench.carrier.put(tunnel));
  const auto code = co_await desktop.told();
  CHECK(code == "forbidden");
  const bool ended = co_await bench.ended("access_ended");
  REQUIRE(ended);
  const auto record = bench.record("access_ended");
  CHECK(record.detail == "this tunnel lets you in no more");
  CHECK(record.user == kUser);
  CHECK(record.to_target == 5);
  co_await bench.finish();
}

ASYNC_TEST_CASE("access that was taken away while a session began lets no connection in",
                "[tunnels][change][session]") {
  auto limits = quick_sessions();
  limits.session_times.check = 1h;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  auto serve = bench.carrier.session(tunnel, {"192.0.2.7", kUser, kToken, {}}, [&] { return desktop.ask(); });
  REQUIRE(serve);
  desktop.denial = {"forbidden", "the tunnel does not let role viewer in"};
  tunnel.access = {.roles = {}};
  REQUIRE(bench.carrier.put(tunnel));
  bench.tasks.spawn("session", desktop.hold(*std::move(serve), std::move(desktop.line.a)));
  desktop.end.session = std::make_unique<link::Session>(
      bench.on, std::move(desktop.line.b), patient_options(mux::Side::agent), desktop.end.owner, desktop.end.clock);
  bench.tasks.spawn("workstation", run_endpoint(desktop.end));
  const auto code = co_await desktop.told();
  CHECK(code == "forbidden");
  CHECK(desktop.cut);
  CHECK(bench.agent.purposes.empty());
  co_await bench.finish();
}
