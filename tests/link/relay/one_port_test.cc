#include "shared/async/timeout.h"
#include "tests/link/relay/gateway_rig.h"

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

// A ClientHello that offers one protocol and nothing else of use.
std::string hello(std::string_view protocol) {
  const auto vector_of = [](std::string content, int bytes) {
    std::string length;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) length += static_cast<char>(content.size() >> shift);
    return length + content;
  };
  const auto names = vector_of(vector_of(std::string(protocol), 1), 2);
  const auto extensions = vector_of(std::string("\0\x10", 2) + vector_of(names, 2), 2);
  const auto body = "\x03\x03" + std::string(32, 'r') + std::string("\0", 1) + vector_of("\x13\x01", 2) +
                    vector_of(std::string("\0", 1), 1) + extensions;
  return "\x16\x03\x01" + vector_of("\x01" + vector_of(body, 3), 2);
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

  for (const auto& text : {hello("http/1.1"), std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}) {
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
  const auto text = hello("h2");
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
  const auto text = hello("http/1.1");
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
  co_await send(refused, hello("sallyport/1"));
  const bool closed = co_await is_closed(refused);
  CHECK(closed);
  CHECK(shared.rig.lines.has({"link.refused", "\"full\"", "all 3 places for agents"}));
  for (std::size_t n = 1; n <= 3; ++n) {
    auto browser = co_await shared.dial();
    co_await send(browser, hello("http/1.1"));
    const bool arrived = co_await shared.rig.until([&] { return shared.web.size() == n; });
    REQUIRE(arrived);
  }
  for (auto& agent : agents) co_await agent.finish();
  co_await shared.rig.finish();
}
