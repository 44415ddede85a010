// Connections that say nothing, or not enough, at the agents' port: nobody is kept waiting by them.
#include "tests/link/relay/gateway_rig.h"
#include "tests/link/relay/hello_text.h"

#include "tests/unit/shared/tls/meeting.h"

#include "shared/tls/engine.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kSoon = 2s;

struct Crowd {
  // `from` is a loopback address of the caller's choice, so that several sources can be had.
  awaitable<void> arrive(GatewayRig& rig, std::size_t count, const std::string& from, std::string words = "") {
    for (std::size_t i = 0; i < count; ++i) {
      auto& socket = sockets.emplace_back(rig.loop);
      socket.open(tcp::v4());
      socket.bind({asio::ip::make_address(from), 0});
      co_await socket.async_connect({asio::ip::address_v4::loopback(), rig.endpoint().port}, asio::use_awaitable);
      if (!words.empty()) co_await asio::async_write(socket, asio::buffer(words), asio::use_awaitable);
    }
  }
  std::size_t cut() {
    return static_cast<std::size_t>(std::ranges::count_if(sockets, [](auto& socket) {
      boost::system::error_code problem;
      std::array<char, 1> byte{};
      socket.non_blocking(true);
      socket.read_some(asio::buffer(byte), problem);
      return problem != asio::error::would_block;
    }));
  }
  std::list<tcp::socket> sockets;
};

awaitable<std::chrono::milliseconds> time_to_link(GatewayRig& rig, const agent::Identity& identity) {
  const auto begin = std::chrono::steady_clock::now();
  RealAgent agent(rig, identity);
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  const auto took = std::chrono::steady_clock::now() - begin;
  co_await agent.finish();
  co_return std::chrono::duration_cast<std::chrono::milliseconds>(took);
}

}  // namespace

ASYNC_TEST_CASE("two hundred silent connections of one address keep no agent waiting, not even of that address",
                "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  Crowd crowd;
  co_await crowd.arrive(rig, 200, "127.0.0.1");
  auto took = co_await time_to_link(rig, identity);
  CHECK(took < kSoon);
  const auto begin = std::chrono::steady_clock::now();
  co_await rig.enrolled();
  CHECK(std::chrono::steady_clock::now() - begin < kSoon);
  CHECK(crowd.cut() == 0);
  co_await rig.finish();
}

ASYNC_TEST_CASE("of one source's silent connections the oldest make room for its next ones", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor, {.door = {.guests = 16, .handshakes = 4}});
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  Crowd crowd;
  co_await crowd.arrive(rig, 40, "127.0.0.1");
  const bool cut = co_await rig.until([&] { return crowd.cut() == 40 - 8; });
  CHECK(cut);
  CHECK(rig.lines.has({"link.refused", "tls.crowded", "too many connections of this address"}));
  Crowd elsewhere;
  co_await elsewhere.arrive(rig, 4, "127.0.0.2");
  CHECK(elsewhere.cut() == 0);
  const auto took = co_await time_to_link(rig, identity);
  CHECK(took < kSoon);
  co_await rig.finish();
}

// It is as good as nothing said.
ASYNC_TEST_CASE("half a hello takes no place of a handshake", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor, {.door = {.handshakes = 2}, .handshake = 3s});
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  Crowd crowd;
  co_await crowd.arrive(rig, 200, "127.0.0.2", hello_text(tls::kLinkProtocol).substr(0, 40));
  const auto took = co_await time_to_link(rig, identity);
  CHECK(took < kSoon);
  const bool over = co_await rig.until([&] { return crowd.cut() == 200; });
  CHECK(over);
  CHECK(rig.lines.has({"link.refused", "tls.timed_out"}));
  co_await rig.finish();
}

namespace {

// TLS clients that stop after the relay's first answer.
awaitable<void> break_off(GatewayRig& rig, std::size_t count, const std::string& from,
                          std::list<tcp::socket>& sockets) {
  const SystemClock clock;
  const auto context = careless_client(clock, "\x0bsallyport/1");
  struct Nothing final : tls::RawSource {
    tls::RawInput read_raw(std::span<std::byte>) override { return {}; }
  } nothing;
  for (std::size_t i = 0; i < count; ++i) {
    auto& socket = sockets.emplace_back(rig.loop);
    socket.open(tcp::v4());
    socket.bind({asio::ip::make_address(from), 0});
    co_await socket.async_connect({asio::ip::address_v4::loopback(), rig.endpoint().port}, asio::use_awaitable);
    tls::TlsEngine engine(context.core(), "relay.test", nothing);
    engine.handshake();
    const auto hello = engine.output();
    co_await asio::async_write(socket, asio::buffer(hello.data(), hello.size()), asio::use_awaitable);
  }
}

}  // namespace

ASYNC_TEST_CASE("one source that breaks off its handshakes does not take the places of the others", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor, {.handshake = 3s, .turn = 5s});
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  Crowd crowd;
  co_await break_off(rig, 200, "127.0.0.2", crowd.sockets);
  const auto took = co_await time_to_link(rig, identity);
  CHECK(took < kSoon);
  CHECK(crowd.sockets.size() == 200);  // nobody was turned away for having spoken
  CHECK_FALSE(rig.lines.has({"tls.crowded"}));
  const auto is_late = [](const std::string& line) { return mentions({line}, {"link.refused", "tls.timed_out"}); };
  const bool over = co_await rig.until([&] { return std::ranges::count_if(rig.lines.lines, is_late) == 200; });
  CHECK(over);
  co_await rig.finish();
}

// As many sources as places: those who have sent nothing hold no handshake, and their time is short.
ASYNC_TEST_CASE("a door full of silent sources opens again when their time is over", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor, {.door = {.guests = 8, .handshakes = 4}, .handshake = 500ms});
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  Crowd crowd;
  for (int i = 2; i < 10; ++i) co_await crowd.arrive(rig, 1, "127.0.0." + std::to_string(i));
  const auto took = co_await time_to_link(rig, identity);
  CHECK(took < 5s);
  CHECK(crowd.cut() == 8);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a relay that stops does not wait for the silent", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor, {.door = {.guests = 64, .handshakes = 2}});
  co_await rig.start();
  Crowd crowd;
  co_await crowd.arrive(rig, 8, "127.0.0.1");
  co_await crowd.arrive(rig, 8, "127.0.0.1", "\x16");
  const auto begin = std::chrono::steady_clock::now();
  co_await rig.finish();
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(crowd.cut() == 16);
}
