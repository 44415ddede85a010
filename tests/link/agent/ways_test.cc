#include "agent/link/ways.h"

#include "shared/async/task_group.h"
#include "tests/link/agent/link_rig.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);
constexpr auto kPatience = 2s;

// Takes connections and never says anything, or hangs up at the first word or when more than half of the time is over.
struct Mute {
  enum class Then { silence, hang_up, hang_up_late };
  Mute(const asio::any_io_executor& executor, Then what)
      : then(what),
        acceptor(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        tasks(executor, [](const auto&, const auto&) {}) {
    tasks.spawn("mute", serve());
  }
  asio::awaitable<void> serve() {
    for (;;) {
      auto [bad, socket] = co_await acceptor.async_accept(kAsValue);
      if (bad) co_return;
      ++accepted;
      tasks.spawn("guest", hear(std::move(socket)));
    }
  }
  asio::awaitable<void> hear(tcp::socket socket) {
    std::array<char, 4096> chunk;
    for (;;) {
      const auto [bad, count] = co_await socket.async_read_some(asio::buffer(chunk), kAsValue);
      if (bad || then == Then::hang_up) co_return;
      if (then == Then::hang_up_late) co_return co_await sleep_for(kPatience * 3 / 5);
    }
  }
  Endpoint endpoint() const { return {"127.0.0.1", acceptor.local_endpoint().port()}; }
  asio::awaitable<void> finish() {
    tasks.stop();
    co_await tasks.join();
  }
  Then then;
  tcp::acceptor acceptor;
  TaskGroup tasks;
  int accepted = 0;
};

// An agent whose relay is mute on the direct way, as one is that is crowded or that somebody stands before.
struct Wayfarer {
  explicit Wayfarer(const asio::any_io_executor& executor, WayTimes times = {}, Mute::Then then = Mute::Then::silence)
      : direct(executor, then),
        web(executor, Mute::Then::hang_up),
        dialer(executor, "none", process_environment),
        ways({dialer, clock, log}, Via::automatic, times, [] { return 0.5; }) {}
  asio::awaitable<Error> fail_to_reach() {
    const Destination to{direct.endpoint(), WebAddress{web.endpoint(), ""}};
    const auto context = must(tls::make_enrol_client_context(pki.root.certificate.key_pin(), clock));
    auto stream = co_await ways.reach(to, context, std::chrono::steady_clock::now() + kPatience);
    REQUIRE_FALSE(stream);
    co_return std::move(stream).error();
  }
  asio::awaitable<void> finish() {
    co_await direct.finish();
    co_await web.finish();
  }
  MovableClock clock;
  Pki pki{clock};
  MemoryLog lines;
  Log log{lines, clock, LogLevel::debug};
  Mute direct;
  Mute web;
  Dialer dialer;
  Ways ways;
};

}  // namespace

ASYNC_TEST_CASE("a handshake that nobody answers is waited for to the end, and leads to the other way the next time",
                "[link][ways]") {
  Wayfarer agent(co_await asio::this_coro::executor);
  const auto begun = std::chrono::steady_clock::now();
  const auto first = co_await agent.fail_to_reach();
  CHECK(first.code == Errc::timed_out);
  CHECK(std::chrono::steady_clock::now() - begun >= kPatience);  // and not half of it
  CHECK(agent.direct.accepted == 1);
  CHECK(agent.web.accepted == 0);
  const auto second = co_await agent.fail_to_reach();
  CHECK_THAT(second.message, Catch::Contains("tls.timed_out") && Catch::Contains("websocket way"));
  CHECK(agent.direct.accepted == 2);
  CHECK(agent.web.accepted == 1);
  co_await agent.finish();
}

ASYNC_TEST_CASE("a handshake that is broken off late is one that nobody answered", "[link][ways]") {
  Wayfarer agent(co_await asio::this_coro::executor, {}, Mute::Then::hang_up_late);
  co_await agent.fail_to_reach();
  CHECK(agent.web.accepted == 0);
  const auto second = co_await agent.fail_to_reach();
  CHECK_THAT(second.message, Catch::Contains("tls.timed_out") && Catch::Contains("websocket way"));
  CHECK(agent.web.accepted == 1);
  co_await agent.finish();
}

ASYNC_TEST_CASE("whoever has one try goes the other way in half of the time", "[link][ways]") {
  Wayfarer agent(co_await asio::this_coro::executor, {.tries = 1});
  const auto only = co_await agent.fail_to_reach();
  CHECK_THAT(only.message, Catch::Contains("tls.timed_out") && Catch::Contains("websocket way"));
  CHECK(agent.web.accepted == 1);
  co_await agent.finish();
}
