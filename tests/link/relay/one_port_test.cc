#include "shared/async/timeout.h"
#include "shared/tls/stream.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/link/relay/hello_text.h"

#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <list>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

// A gateway whose port is shared; what is the web's is kept.
struct SharedPort {
  explicit SharedPort(asio::any_io_executor loop, gateway::GatewayLimits limits = {}) : rig(loop, limits) {}
  awaitable<void> start() {
    co_await rig.start();
    rig.gateway.share_port([this](tcp::socket socket) { web.push_back(std::move(socket)); });
  }
  awaitable<tcp::socket> dial() {
    tcp::socket socket(rig.loop);
    co_await socket.async_connect({asio::ip::address_v4::loopback(), rig.gateway.port()}, asio::use_awaitable);
    co_return socket;
  }
  GatewayRig rig;
  std::vector<tcp::socket> web;
};

awaitable<void> send(tcp::socket& to, std::string_view text) {
  co_await asio::async_write(to, asio::buffer(text.data(), text.size()), asio::use_awaitable);
}

awaitable<Result<std::string>> read_exactly(tcp::socket& from, std::size_t size) {
  std::string text(size, '\0');
  const auto [bad, got] = co_await asio::async_read(from, asio::buffer(text), kAsValue);
  if (bad) co_return fail(Errc::unavailable, bad.message());
  co_return text;
}

awaitable<bool> is_closed(tcp::socket& socket) {
  const auto ended = co_await with_timeout(10s, read_exactly(socket, 1));
  co_return !ended && ended.error().code == Errc::unavailable;
}

}  // namespace

ASYNC_TEST_CASE("agents and browsers meet at one port and each gets its own", "[link][one_port]") {
  SharedPort shared(co_await asio::this_coro::executor);
  co_await shared.start();
  RealAgent agent(shared.rig, co_await shared.rig.enrolled());
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  CHECK(shared.web.empty());

  for (const auto& text : {hello_text("http/1.1"), std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}) {
    auto browser = co_await shared.dial();
    const auto before = shared.web.size();
    co_await send(browser, text);
    const bool arrived = co_await shared.rig.until([&] { return shared.web.size() > before; });
    REQUIRE(arrived);
    const auto whole = co_await read_exactly(shared.web.back(), text.size());
    CHECK(whole.value_or("") == text);
  }
  co_await agent.finish();
  co_await shared.rig.finish();
}

ASYNC_TEST_CASE("a hello in pieces is waited for, and nothing of it is taken", "[link][one_port]") {
  SharedPort shared(co_await asio::this_coro::executor);
  co_await shared.start();
  auto browser = co_await shared.dial();
  const auto text = hello_text("h2");
  for (std::size_t at = 0; at < text.size(); at += 7) {
    CHECK(shared.web.empty());
    co_await send(browser, std::string_view(text).substr(at, 7));
    co_await sleep_for(1ms);
  }
  const bool arrived = co_await shared.rig.until([&] { return shared.web.size() == 1; });
  REQUIRE(arrived);
  const auto whole = co_await read_exactly(shared.web.back(), text.size());
  CHECK(whole.value_or("") == text);
  co_await shared.rig.finish();
}

ASYNC_TEST_CASE("who is silent or slow at a shared port is a guest like any other", "[link][one_port]") {
  gateway::GatewayLimits limits;
  limits.handshake = 200ms;
  SharedPort shared(co_await asio::this_coro::executor, limits);
  co_await shared.start();
  auto silent = co_await shared.dial(), slow = co_await shared.dial(), gone = co_await shared.dial();
  const auto text = hello_text("http/1.1");
  co_await send(slow, std::string_view(text).substr(0, 20));
  co_await send(gone, std::string_view(text).substr(0, 20));
  boost::system::error_code ignored;
  gone.shutdown(tcp::socket::shutdown_send, ignored);
  for (auto* socket : {&silent, &slow, &gone}) {
    const bool closed = co_await is_closed(*socket);
    CHECK(closed);
  }
  CHECK(shared.web.empty());
  CHECK(shared.rig.lines.has({"link.refused", "tls.timed_out"}));
  CHECK(shared.rig.lines.has({"link.refused", "in the middle of a ClientHello"}));
  co_await shared.rig.finish();
}

ASYNC_TEST_CASE("agents that fill a shared port leave the door open for people", "[link][one_port]") {
  gateway::GatewayLimits limits;
  limits.connections = 4;  // three for agents
  limits.door.guests = 2;
  SharedPort shared(co_await asio::this_coro::executor, limits);
  co_await shared.start();
  std::list<RealAgent> agents;
  for (int n = 0; n < 3; ++n) {
    agents.emplace_back(shared.rig, co_await shared.rig.enrolled());
    agents.back().start();
    const bool ready = co_await agents.back().until_ready();
    REQUIRE(ready);
  }
  auto refused = co_await shared.dial();
  co_await send(refused, hello_text("sallyport/1"));
  const bool closed = co_await is_closed(refused);
  CHECK(closed);
  CHECK(shared.rig.lines.has({"link.refused", "\"full\"", "all 3 places for agents"}));
  for (std::size_t n = 1; n <= 3; ++n) {
    auto browser = co_await shared.dial();
    co_await send(browser, hello_text("http/1.1"));
    const bool arrived = co_await shared.rig.until([&] { return shared.web.size() == n; });
    REQUIRE(arrived);
  }
  for (auto& agent : agents) co_await agent.finish();
  co_await shared.rig.finish();
}

namespace {

awaitable<void> begin_tls(tcp::socket socket, tls::ClientContext context) {
  static_cast<void>(co_await tls::connect_tls(std::move(socket), context, "127.0.0.1", SteadyTime::max()));
}

// What an agent says first. A relay that hears it waits for what would come after its own answer.
awaitable<std::string> real_hello(GatewayRig& rig) {
  const auto identity = co_await rig.enrolled();
  tcp::acceptor door(rig.loop, {asio::ip::address_v4::loopback(), 0});
  tcp::socket dialled(rig.loop);
  co_await dialled.async_connect(door.local_endpoint(), asio::use_awaitable);
  auto accepted = co_await door.async_accept(asio::use_awaitable);
  TaskGroup tasks(rig.loop, [](const auto&, const auto& why) { FAIL_CHECK(why); });
  tasks.spawn("tls",
              begin_tls(std::move(dialled), must(tls::make_link_client_context(
                                                {identity.chain, identity.key, identity.root}, rig.world.clock))));
  auto text = must(co_await read_exactly(accepted, 5));  // the header of a record, the last two bytes are its length
  const auto rest = static_cast<std::size_t>(static_cast<unsigned char>(text[3])) << 8 |
                    static_cast<std::size_t>(static_cast<unsigned char>(text[4]));
  text += must(co_await read_exactly(accepted, rest));
  accepted.close();
  co_await tasks.join();
  co_return text;
}

}  // namespace

ASYNC_TEST_CASE("one address that says hello and nothing more leaves agents places at a shared port",
                "[link][one_port]") {
  gateway::GatewayLimits limits;
  limits.connections = 40;  // thirty for agents
  limits.door.handshakes = 4;
  SharedPort shared(co_await asio::this_coro::executor, limits);
  co_await shared.start();
  const auto hello = co_await real_hello(shared.rig);
  RealAgent agent(shared.rig, co_await shared.rig.enrolled());

  std::list<tcp::socket> flood;
  for (int n = 0; n < 60; ++n) {
    auto& one = flood.emplace_back(shared.rig.loop, tcp::endpoint(asio::ip::make_address_v4("127.0.0.2"), 0));
    co_await one.async_connect({asio::ip::address_v4::loopback(), shared.rig.gateway.port()}, asio::use_awaitable);
    co_await send(one, hello);
  }
  const bool crowded =
      co_await shared.rig.until([&] { return shared.rig.lines.has({"link.refused", "127.0.0.2", "tls.crowded"}); });
  CHECK(crowded);
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  CHECK_FALSE(shared.rig.lines.has({"link.refused", "\"full\""}));

  auto browser = co_await shared.dial();
  co_await send(browser, hello_text("http/1.1"));
  const bool arrived = co_await shared.rig.until([&] { return shared.web.size() == 1; });
  CHECK(arrived);
  co_await agent.finish();
  co_await shared.rig.finish();
}
