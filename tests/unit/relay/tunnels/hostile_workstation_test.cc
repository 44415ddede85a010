#include "tests/unit/relay/tunnels/desktop.h"
#include "tests/unit/shared/link/hostile_moves.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr auto kConnection = tunnel::kConnectionService;

// A good workstation that has a connection open all the while, and must not notice; and somebody with a good token.
struct Scene {
  explicit Scene(asio::any_io_executor on, tunnels::CarrierLimits limits = quick_sessions())
      : bench(on, limits), tunnel(without_listener(bench)), bystander(bench) {}

  asio::awaitable<void> begin() {
    co_await bench.start();
    REQUIRE(bench.carrier.put(tunnel));
    REQUIRE(bystander.open(tunnel));
    channel.emplace(co_await bystander.connect());
    target.emplace(co_await bench.taken());
  }
  asio::awaitable<void> end() {
    CHECK_FALSE(bystander.end.end);
    co_await say(*channel, "still here");
    const auto text = co_await read_until(*target, 10);
    CHECK(text == "still here");
    auto another = co_await bystander.connect();
    co_await say(another, "anew");
    const auto anew = co_await first_word();
    CHECK(anew == "anew");
    bystander.end.session->stop("the test is over");
    (void)co_await bystander.told();
    co_await bench.finish();
  }
  // At the target, after the broken ones that the hostile one has left there.
  asio::awaitable<std::string> first_word() {
    for (;;) {
      auto socket = co_await bench.taken();
      std::string text(4, '\0');
      const auto [bad, size] =
          co_await asio::async_read(socket, asio::buffer(text), asio::as_tuple(asio::use_awaitable));
      if (!bad) co_return text;
    }
  }

  RawPeer enter() {
    bench.lines.lines.clear();
    auto line = memory_line(bench.on);
    auto serve = bench.carrier.session(tunnel, {"192.0.2.9", UserId("usr_9"), ApiTokenId("tok_9")}, allowed);
    REQUIRE(serve);
    bench.tasks.spawn("session", hold(*std::move(serve), std::move(line.a)));
    return RawPeer(std::move(line.b));
  }
  static asio::awaitable<Result<std::optional<tunnels::Denial>>> allowed() { co_return std::nullopt; }
  static asio::awaitable<void> hold(tunnels::ServeSession serve, std::unique_ptr<ByteStream> stream) {
    (void)co_await serve(std::move(stream));
  }
  // It is over, its end is told with the reason, and nothing of it is left.
  asio::awaitable<bool> ended_for(std::string why) {
    co_return co_await bench.until([&] {
      const bool told = std::ranges::any_of(bench.lines.lines, [&](const std::string& line) {
        return line.contains("tunnel.session_ended") && line.contains("usr_9") && line.contains(why);
      });
      return told && bench.carrier.standing(tunnel).open_connections == 1;
    });
  }

  TunnelBench bench;
  store::Tunnel tunnel;
  Desktop bystander;
  std::optional<link::Channel> channel;
  std::optional<tcp::socket> target;
};

}  // namespace

ASYNC_TEST_CASE("a workstation whose Hello cannot be is refused with the reason", "[tunnels][session]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  for (const auto& move : impossible_greetings(kConnection)) {
    INFO(move.what);
    auto raw = scene.enter();
    co_await raw.write(move.bytes);
    const auto heard = co_await raw.listen();
    CAPTURE(heard.refusal);
    CHECK_FALSE(heard.welcomed);
    CHECK(heard.refusal.starts_with(move.refusal));
    const bool ended = co_await scene.ended_for(heard.refusal.substr(move.refusal.size(), 10));
    CHECK(ended);
  }
  co_await scene.end();
}

ASYNC_TEST_CASE("a workstation that breaks a rule loses its session with the rule's number, and nobody else's",
                "[tunnels][session]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  auto moves = broken_rules(kConnection);
  moves.push_back({"more data than the credit of a connection",
                   joined({opened(1, kConnection), frame(1, mux::FrameType::data, std::string(20'000, 'x'))}), "P6.2"});
  moves.push_back({"connections without regard to refusals", endless_opens(2'100, kConnection), "P5.5"});
  for (const auto& move : moves) {
    INFO(move.what);
    auto raw = scene.enter();
    const bool welcomed = co_await raw.greet(hello());
    REQUIRE(welcomed);
    co_await raw.write(move.bytes);
    const auto heard = co_await raw.listen();
    CAPTURE(heard.refusal);
    CHECK(heard.refusal.starts_with("protocol: "));
    CHECK(heard.refusal.contains(move.refusal));
    const bool ended = co_await scene.ended_for(move.refusal);
    CHECK(ended);
  }
  const bool recorded = co_await scene.bench.until([&] {
    return std::ranges::all_of(scene.bench.book.records, [](const auto& one) {
      const auto& record = one.second;
      return record.user != UserId("usr_9") || record.end == "client_reset" || record.end == "too_many";
    });
  });
  CHECK(recorded);
  co_await scene.end();
}

ASYNC_TEST_CASE("a workstation cut at any byte leaves its session's end, and nothing else", "[tunnels][session]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  const auto whole = joined({hello(), opened(1, kConnection), frame(1, mux::FrameType::data, "abc")});
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    auto raw = scene.enter();
    co_await raw.write(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    raw.close();
    const bool ended = co_await scene.ended_for("reason");
    CHECK(ended);
  }
  co_await scene.end();
}

// Bytes do not prolong the time for a greeting.
ASYNC_TEST_CASE("a workstation that greets a byte at a time is not waited for", "[tunnels][session]") {
  auto limits = quick_sessions();
  limits.session_times.link.handshake = 2s;
  Scene scene(co_await asio::this_coro::executor, limits);
  co_await scene.begin();
  auto raw = scene.enter();
  const auto greeting = hello();
  const auto pause = 2 * limits.session_times.link.handshake / greeting.size();
  for (const auto byte : greeting) {
    co_await raw.write({byte});
    co_await sleep_for(std::chrono::duration_cast<std::chrono::milliseconds>(pause));
  }
  const auto heard = co_await raw.listen();
  CHECK_FALSE(heard.welcomed);
  const bool ended = co_await scene.ended_for("handshake");
  CHECK(ended);
  co_await scene.end();
}

ASYNC_TEST_CASE("a workstation that opens and resets without end costs a bounded number of records",
                "[tunnels][session]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  auto raw = scene.enter();
  const bool welcomed = co_await raw.greet(hello());
  REQUIRE(welcomed);
  constexpr std::uint32_t kAll = 2'000;
  Bytes all;
  for (std::uint32_t n = 0; n < kAll; ++n) {
    mux::append_frame(all, {2 * n + 1, mux::FrameType::open, as_bytes(kConnection)});
    mux::append_frame(all, {2 * n + 1, mux::FrameType::reset, as_bytes(std::string_view("\0\0\0\1", 4))});
  }
  mux::append_frame(all, {0, mux::FrameType::data, as_bytes("x")});  // P4.4: the end in any case
  co_await raw.write(std::move(all));
  const auto heard = co_await raw.listen();
  CAPTURE(heard.refusal);
  CHECK(heard.refusal.starts_with("protocol: "));  // P5.5, unless it was read in small pieces
  const bool ended = co_await scene.ended_for(heard.refusal.substr(10, 4));
  CHECK(ended);
  CHECK(scene.bench.book.records.size() <= tunnels::Tally::kOwn + 32);
  co_await scene.end();
}
