#include "agent/link/dialer.h"

#include "shared/async/task_group.h"
#include "tests/link/agent/tinyproxy.h"
#include "tests/support/async_test.h"
#include "tests/support/free_port.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

std::optional<std::string> empty_environment(const std::string&) { return std::nullopt; }
SteadyTime in(std::chrono::milliseconds length) { return std::chrono::steady_clock::now() + length; }

// Something that listens where a proxy or a relay should: says `greeting` after the first bytes, then holds the line.
struct Impostor {
  Impostor(asio::any_io_executor executor, std::string words)
      : greeting(std::move(words)),
        acceptor(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        tasks(executor, [](auto&, auto) {}) {
    tasks.spawn("impostor", serve());
  }
  asio::awaitable<void> serve() {
    for (;;) {
      auto [bad, socket] = co_await acceptor.async_accept(kAsValue);
      if (bad) co_return;
      tasks.spawn("guest", talk(std::move(socket), ++accepted > silent));
    }
  }
  asio::awaitable<void> talk(tcp::socket socket, bool speaks) {
    std::array<char, 4096> chunk;
    co_await socket.async_read_some(asio::buffer(chunk), kAsValue);
    if (speaks && !greeting.empty()) co_await asio::async_write(socket, asio::buffer(greeting), kAsValue);
    if (hang_up) co_return;
    co_await socket.async_read_some(asio::buffer(chunk), kAsValue);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()); }
  asio::awaitable<void> finish() {
    tasks.stop();
    co_await tasks.join();
  }
  std::string greeting;
  bool hang_up = false;
  int silent = 0;  // of the first connections
  int accepted = 0;
  tcp::acceptor acceptor;
  TaskGroup tasks;
};

asio::awaitable<Result<std::string>> ask(Result<tcp::socket>& socket) {
  if (!socket) co_return std::unexpected(socket.error());
  const std::string question = "ping";
  co_await asio::async_write(*socket, asio::buffer(question), kAsValue);
  std::array<char, 64> chunk;
  const auto [bad, count] = co_await socket->async_read_some(asio::buffer(chunk), kAsValue);
  if (bad) co_return fail(Errc::unavailable, bad.message());
  co_return std::string(chunk.data(), count);
}

}  // namespace

ASYNC_TEST_CASE("directly, by name", "[link]") {
  Impostor relay(co_await asio::this_coro::executor, "pong");
  Dialer dialer(co_await asio::this_coro::executor, "", empty_environment);
  auto socket = co_await dialer.dial({"localhost", relay.acceptor.local_endpoint().port()}, in(30s));
  const auto answer = co_await ask(socket);
  REQUIRE(answer);
  CHECK(*answer == "pong");
  co_await relay.finish();
}

ASYNC_TEST_CASE("a relay that is not there", "[link]") {
  Dialer dialer(co_await asio::this_coro::executor, "", empty_environment);
  const auto socket = co_await dialer.dial({"127.0.0.1", free_port()}, in(30s));
  REQUIRE_FALSE(socket);
  CHECK(socket.error().code == Errc::unavailable);
  CHECK(socket.error().message.find("connecting to 127.0.0.1:") != std::string::npos);
  const auto nowhere = co_await dialer.dial({"no-such-host.invalid", 443}, in(30s));
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().message.find("looking up no-such-host.invalid") != std::string::npos);
}

ASYNC_TEST_CASE("through a real proxy with authentication", "[link]") {
  Impostor relay(co_await asio::this_coro::executor, "pong");
  const Endpoint target{"127.0.0.1", relay.acceptor.local_endpoint().port()};
  Tinyproxy proxy(target.port);
  Dialer dialer(co_await asio::this_coro::executor, proxy.url(), empty_environment);
  auto socket = co_await dialer.dial(target, in(30s));
  const auto answer = co_await ask(socket);
  REQUIRE(answer);
  CHECK(*answer == "pong");
  co_await relay.finish();
}

ASYNC_TEST_CASE("through a real proxy named by the environment", "[link]") {
  Impostor relay(co_await asio::this_coro::executor, "pong");
  const Endpoint target{"127.0.0.1", relay.acceptor.local_endpoint().port()};
  Tinyproxy proxy(target.port);
  Dialer dialer(co_await asio::this_coro::executor, "", [&](const std::string& name) {
    return name == "HTTPS_PROXY" ? std::optional(proxy.url()) : std::nullopt;
  });
  auto socket = co_await dialer.dial(target, in(30s));
  const auto answer = co_await ask(socket);
  CHECK(answer.has_value());
  co_await relay.finish();
}

ASYNC_TEST_CASE("a real proxy that refuses says why, without the password", "[link]") {
  const Endpoint target{"127.0.0.1", free_port()};
  Tinyproxy proxy(target.port);
  struct Case {
    std::string what;
    std::string url;
    Endpoint target;
    Errc code;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"no credentials", proxy.url(""), target, Errc::unauthenticated, "407"},
      {"wrong password", proxy.url("operator:wrong-secret@"), target, Errc::unauthenticated, "user and password"},
      {"forbidden port", proxy.url(), {"127.0.0.1", free_port()}, Errc::forbidden, "403"},
      {"nobody behind it", proxy.url(), target, Errc::unavailable, "could not reach the relay"},
      {"proxy is down", "http://127.0.0.1:" + std::to_string(free_port()), target, Errc::unavailable,
       "the HTTP proxy: connecting to"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    Dialer dialer(co_await asio::this_coro::executor, one.url, empty_environment);
    const auto socket = co_await dialer.dial(one.target, in(30s));
    REQUIRE_FALSE(socket);
    CAPTURE(socket.error().message);
    CHECK(socket.error().code == one.code);
    CHECK(socket.error().message.find(one.fragment) != std::string::npos);
    CHECK(socket.error().message.find("secret") == std::string::npos);
    CHECK(socket.error().message.find("sesame") == std::string::npos);
  }
}

ASYNC_TEST_CASE("what is no proxy is told from one", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  struct Case {
    std::string what;
    std::string greeting;
    bool hang_up;
    Errc code;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"a web page", "<html><body>Please log in</body></html>", false, Errc::invalid,
       "does not answer like an HTTP proxy"},
      {"a login portal", "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", false, Errc::invalid, "302"},
      {"bad gateway", "HTTP/1.1 502 Bad Gateway\r\n\r\n", false, Errc::unavailable, "could not reach the relay"},
      {"silence", "", false, Errc::timed_out, "did not answer CONNECT in time"},
      {"half an answer", "HTTP/1.1 200 Conn", false, Errc::timed_out, "did not answer CONNECT in time"},
      {"hangs up", "", true, Errc::unavailable, "closed the connection before it answered"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    Impostor impostor(executor, one.greeting);
    impostor.hang_up = one.hang_up;
    Dialer dialer(executor, impostor.url(), empty_environment);
    const auto socket = co_await dialer.dial({"relay.example", 443}, in(one.code == Errc::timed_out ? 400ms : 30s));
    REQUIRE_FALSE(socket);
    CAPTURE(socket.error().message);
    CHECK(socket.error().code == one.code);
    CHECK(socket.error().message.find(one.fragment) != std::string::npos);
    co_await impostor.finish();
  }
}

// As after an outage: a connection that was begun in it gets nowhere, whatever holds it.
ASYNC_TEST_CASE("a dial that hangs does not hold up the next one", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Impostor proxy(executor, "HTTP/1.1 200 OK\r\n\r\n");
  proxy.silent = 1;
  Dialer dialer(co_await asio::this_coro::executor, proxy.url(), empty_environment);
  const auto begun = std::chrono::steady_clock::now();
  const auto socket = co_await dialer.dial({"relay.example", 443}, in(20s));
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(socket.has_value());
  CHECK(proxy.accepted == 2);
  CHECK(took >= kAnotherDial);
  CHECK(took < kAnotherDial + 3s);
  co_await proxy.finish();
}

ASYNC_TEST_CASE("what hangs to the end says so, and a refusal among the later dials ends it early", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Impostor silent(executor, "never said");
  silent.silent = 10;
  const auto hung = co_await Dialer(executor, silent.url(), empty_environment).dial({"relay.example", 443}, in(2500ms));
  REQUIRE_FALSE(hung);
  CHECK(hung.error().code == Errc::timed_out);
  CHECK(hung.error().message.find("did not answer CONNECT in time") != std::string::npos);
  CHECK(silent.accepted == 2);
  co_await silent.finish();

  Impostor refusing(executor, "HTTP/1.1 502 Bad Gateway\r\n\r\n");
  refusing.silent = 1;
  const auto refused =
      co_await Dialer(executor, refusing.url(), empty_environment).dial({"relay.example", 443}, in(20s));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unavailable);
  co_await refusing.finish();
}
