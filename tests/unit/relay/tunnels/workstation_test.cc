#include "relay/tunnels/workstation.h"

#include "tests/unit/relay/tunnels/desktop.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

ASYNC_TEST_CASE("a workstation's connections are carried, and their records say whose they were",
                "[tunnels][session]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
  co_await bench.start();
  const auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  auto channel = co_await desktop.connect();
  co_await say(channel, "select 1");
  auto target = co_await bench.taken();
  auto text = co_await read_until(target, 8);
  CHECK(text == "select 1");
  CHECK(bench.carrier.standing(tunnel).open_connections == 1);
  (void)channel.finish();
  text = co_await read_to_end(target);
  CHECK(text.empty());
  co_await send(target, "one row");
  finish(target);
  text = co_await hear(channel, 100);
  CHECK(text == "one row");
  const bool ended = co_await bench.ended("finished");
  REQUIRE(ended);
  const auto record = bench.record("finished");
  CHECK(record.source == "192.0.2.7");  // in none of the listener's networks
  CHECK(record.user == kUser);
  CHECK(record.token == kToken);
  CHECK(record.agent == kAgent);
  CHECK(record.to_target == 8);
  CHECK(record.from_target == 7);
  desktop.end.session->stop("the test is over");
  (void)co_await desktop.told();
  const bool told = co_await bench.until([&] { return bench.lines.count("tunnel.session_ended") == 1; });
  CHECK(told);
  CHECK(bench.lines.count("usr_1") >= 2);
  co_await bench.finish();
}

ASYNC_TEST_CASE("why a workstation's connection is not carried reaches it", "[tunnels][session]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
  co_await bench.start();
  auto tunnel = without_listener(bench, "forbidden");
  tunnel.limits.connections = 1;
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  {
    auto channel = co_await desktop.connect();
    (void)co_await channel.wait_broken();
    REQUIRE(channel.peer_reset());
    CHECK(channel.peer_reset()->code == mux::ResetCode::forbidden);
    CHECK_THAT(channel.peer_reset()->text, Catch::Contains("no rule allows"));
  }
  bool ended = co_await bench.ended("refused_by_policy");
  CHECK(ended);
  tunnel.host = "127.0.0.1";
  REQUIRE(bench.carrier.put(tunnel));
  auto first = co_await desktop.connect();
  auto target = co_await bench.taken();
  auto second = co_await desktop.connect();
  (void)co_await second.wait_broken();
  REQUIRE(second.peer_reset());
  CHECK(second.peer_reset()->code == mux::ResetCode::exhausted);
  ended = co_await bench.ended("too_many");
  CHECK(ended);
  first.reset(mux::ResetCode::broken, "reset by peer");
  const auto bad = co_await read_error(target);
  CHECK(bad == asio::error::connection_reset);
  ended = co_await bench.ended("client_reset");
  CHECK(ended);
  desktop.end.session->stop("the test is over");
  (void)co_await desktop.told();
  co_await bench.finish();
}

ASYNC_TEST_CASE("what ends a session, and cuts what it carries", "[tunnels][session]") {
  struct Row {
    std::string code;
    std::string word;  // of the access record
    std::function<void(TunnelBench&, Desktop&, store::Tunnel&)> happens;
  };
  for (const auto& row : {
           Row{"revoked", "access_ended", [](auto&, auto& desktop, auto&) { desktop.denial = {"revoked", "gone"}; }},
           Row{"paused", "paused",
               [](auto& bench, auto&, auto& tunnel) {
                 tunnel.status = store::TunnelStatus::paused;
                 REQUIRE(bench.carrier.put(tunnel));
               }},
           Row{"removed", "removed", [](auto& bench, auto&, auto& tunnel) { bench.carrier.drop(tunnel.id); }},
           Row{"expired", "expired", [](auto& bench, auto&, auto&) { bench.clock.shift = 2h; }},
           Row{"drained", "relay_stopped", [](auto& bench, auto&, auto&) { bench.stop_carrier_soon(); }},
       }) {
    INFO(row.code);
    TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
    co_await bench.start();
    auto tunnel = without_listener(bench);
    tunnel.expires_at = bench.clock.wall() + 1h;
    REQUIRE(bench.carrier.put(tunnel));
    Desktop desktop(bench);
    REQUIRE(desktop.open(tunnel));
    auto channel = co_await desktop.connect();
    auto target = co_await bench.taken();
    row.happens(bench, desktop, tunnel);
    const auto code = co_await desktop.told();
    CHECK(code == row.code);
    const auto bad = co_await read_error(target);
    CHECK(bad == asio::error::connection_reset);
    const bool ended = co_await bench.ended(row.word);
    CHECK(ended);
    co_await bench.finish();
  }
}

ASYNC_TEST_CASE("who cannot be asked about may go on for a while, and not beyond what was known",
                "[tunnels][session]") {
  enum class Store { broken, deaf };
  for (const auto store : {Store::broken, Store::deaf}) {
    TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
    co_await bench.start();
    const auto tunnel = without_listener(bench);
    REQUIRE(bench.carrier.put(tunnel));
    Desktop patient(bench), expiring(bench);
    expiring.until = bench.clock.wall() + 20s;
    for (auto* desktop : {&patient, &expiring}) {
      REQUIRE(desktop->open(tunnel));
      (void)co_await desktop->connect();
      if (store == Store::broken) desktop->fault = Error{Errc::unavailable, "the disk is away"};
      desktop->silent = store == Store::deaf;
    }
    co_await sleep_for(50ms);  // some questions
    CHECK_FALSE(expiring.end.end);
    bench.clock.shift = 21s;
    auto code = co_await expiring.told();
    CHECK(code == "revoked");
    co_await sleep_for(50ms);
    CHECK_FALSE(patient.end.end);
    bench.clock.shift = 31s;
    code = co_await patient.told();
    CHECK(code == "unavailable");
    patient.silent = expiring.silent = false;
    co_await bench.finish();
  }
}

ASYNC_TEST_CASE("a session that may go on outlives the time for which one is trusted", "[tunnels][session]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
  co_await bench.start();
  const auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  (void)co_await desktop.connect();
  for (int step = 1; step <= 4; ++step) {
    bench.clock.shift = step * 20s;
    co_await sleep_for(50ms);
    CHECK_FALSE(desktop.end.end);
  }
  desktop.end.session->stop("the test is over");
  co_await bench.finish();
}

ASYNC_TEST_CASE("a session has room for all its channels, whatever the first ones grew to", "[tunnels][session]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
  co_await bench.start();
  auto tunnel = without_listener(bench);
  tunnel.limits.connections = 200;
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  std::vector<link::Channel> channels;
  channels.push_back(co_await desktop.connect());
  auto target = co_await bench.taken();
  co_await say(channels.front(), std::string(1u << 20, 'x'));
  auto text = co_await read_until(target, 1u << 20);
  CHECK(text.size() == 1u << 20);
  std::vector<tcp::socket> taken;
  for (int n = 1; n < 128; ++n) {
    channels.push_back(co_await desktop.connect());
    taken.push_back(co_await bench.taken());
  }
  CHECK(bench.carrier.standing(tunnel).open_connections == 128);
  desktop.end.session->stop("the test is over");
  co_await bench.finish();
}

ASYNC_TEST_CASE("a relay that stops tells workstations, and lets what is open go on for the drain time",
                "[tunnels][session][stop]") {
  auto limits = quick_sessions();
  limits.drain = 5s;
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  const auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop busy(bench), idle(bench);
  REQUIRE(busy.open(tunnel));
  REQUIRE(idle.open(tunnel));
  auto channel = co_await busy.connect();
  auto target = co_await bench.taken();
  const bool ready = co_await bench.until([&] { return idle.end.session->proven(); });
  REQUIRE(ready);
  bench.stop_carrier_soon();
  const auto code = co_await idle.told();
  CHECK(code == "stopping");
  const bool draining = co_await bench.until([&] { return busy.end.session->draining(); });
  CHECK(draining);
  CHECK_FALSE(busy.end.session->open_channel(tunnel::kConnectionService));
  co_await say(channel, "the rest");
  (void)channel.finish();
  const auto text = co_await read_to_end(target);
  CHECK(text == "the rest");
  finish(target);
  const bool ended = co_await bench.ended("finished");
  CHECK(ended);
  const auto how = co_await busy.told();
  CHECK(how == "drained");
  co_await bench.finish();
}

ASYNC_TEST_CASE("a workstation that vanishes leaves its record", "[tunnels][session]") {
  TunnelBench bench(co_await asio::this_coro::executor, quick_sessions());
  co_await bench.start();
  const auto tunnel = without_listener(bench);
  REQUIRE(bench.carrier.put(tunnel));
  Desktop desktop(bench);
  REQUIRE(desktop.open(tunnel));
  auto channel = co_await desktop.connect();
  auto target = co_await bench.taken();
  for (auto& pipe : {desktop.line.a_to_b, desktop.line.b_to_a}) {
    pipe->broken = true;
    pipe->touch();
  }
  const auto bad = co_await read_error(target);
  CHECK(bad == asio::error::connection_reset);
  const bool ended = co_await bench.ended("client_reset");
  REQUIRE(ended);
  CHECK_FALSE(bench.record("client_reset").detail.empty());
  co_await bench.finish();
}

ASYNC_TEST_CASE("sessions are bounded, and refused with a reason", "[tunnels][session]") {
  auto limits = quick_sessions();
  limits.sessions = {.all = 6, .of_user = 2};
  TunnelBench bench(co_await asio::this_coro::executor, limits);
  co_await bench.start();
  auto tunnel = without_listener(bench);
  auto other = without_listener(bench);
  other.org = OrgId("org_B");
  REQUIRE(bench.carrier.put(tunnel));
  REQUIRE(bench.carrier.put(other));
  const auto place = [&](const store::Tunnel& of, std::string user) {
    return bench.carrier.session(of, {"192.0.2.7", UserId(std::move(user)), kToken}, {});
  };
  std::vector<Result<tunnels::ServeSession>> held;
  for (const auto* user : {"usr_1", "usr_1", "usr_2"}) {
    held.push_back(place(tunnel, user));
    REQUIRE(held.back());
  }
  auto full = place(tunnel, "usr_1");
  REQUIRE_FALSE(full);
  CHECK(full.error().code == Errc::exhausted);
  CHECK_THAT(full.error().message, Catch::Contains("you have 2"));
  full = place(tunnel, "usr_3");  // the half that one organisation may have
  REQUIRE_FALSE(full);
  CHECK_THAT(full.error().message, Catch::Contains("organisation"));
  CHECK(place(other, "usr_1"));
  held.pop_back();  // never served
  CHECK(place(tunnel, "usr_3"));

  tunnel.status = store::TunnelStatus::paused;
  REQUIRE(bench.carrier.put(tunnel));
  const auto paused = place(tunnel, "usr_4");
  REQUIRE_FALSE(paused);
  CHECK(paused.error().code == Errc::conflict);
  CHECK_THAT(paused.error().message, Catch::Contains("is paused"));
  other.expires_at = bench.clock.wall() - 1s;
  (void)bench.carrier.put(other);
  const auto expired = place(other, "usr_4");
  REQUIRE_FALSE(expired);
  CHECK_THAT(expired.error().message, Catch::Contains("has expired"));
  held.clear();
  co_await bench.finish();
  const auto late = place(tunnel, "usr_4");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::unavailable);
}
