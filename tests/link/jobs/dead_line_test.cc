// Lines that go dead without a word (half-open TCP, black holes). SALLYPORT_HEARTBEAT_MS=5000 tries the real interval.
#include "tests/link/jobs/line.h"
#include "tests/link/jobs/working_agent.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <filesystem>
#include <map>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using runner::test::EngineBench;

namespace {

std::chrono::milliseconds heartbeat() {
  const char* text = std::getenv("SALLYPORT_HEARTBEAT_MS");
  return std::chrono::milliseconds(text == nullptr ? 500 : std::atoi(text));
}
std::chrono::milliseconds noticed_within() { return 3 * heartbeat() + 700ms; }  // P10.3, and a busy machine

struct Site {
  explicit Site(const asio::any_io_executor& loop)
      : rig(loop, {.session = {.heartbeat = heartbeat()}}), orders(rig), bench(loop) {}
  awaitable<void> begin() {
    co_await rig.start();
    co_await orders.prepare();
    must(identities.install(co_await rig.enrolled()));
    co_await bench.open();
    line = std::make_unique<Line>(rig.loop, rig.endpoint().port);
    agent = std::make_unique<WorkingAgent>(rig, bench, identities, agent::Endpoint{"127.0.0.1", line->port()},
                                           [](auto& options) { options.connect = 1s; });
    agent->start();
    const bool ready = co_await agent->until_ready();
    REQUIRE(ready);
  }
  awaitable<void> end() {
    co_await agent->finish();
    co_await bench.close();
    co_await line->finish();
    co_await rig.finish();
  }
  GatewayRig rig;
  Orders orders;
  EngineBench bench;
  KeptIdentity identities;
  std::unique_ptr<Line> line;
  std::unique_ptr<WorkingAgent> agent;
};

using Options = std::map<std::string, int>;

std::uint16_t port_of(const sockaddr_storage& address) {
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

// Of this process's connected sockets with that port at the named end.
std::vector<Options> options_of_sockets(std::uint16_t port, decltype(&::getpeername) end) {
  std::vector<Options> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(entry.path().filename().c_str());
    sockaddr_storage here{}, peer{}, at{};
    socklen_t size = sizeof here, peer_size = sizeof peer, at_size = sizeof at;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size) != 0 || here.ss_family != AF_INET) continue;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) continue;  // it listens
    end(fd, reinterpret_cast<sockaddr*>(&at), &at_size);
    if (port_of(at) != port) continue;
    found.push_back({{"no delay", option_of(fd, IPPROTO_TCP, TCP_NODELAY)},
                     {"keep alive", option_of(fd, SOL_SOCKET, SO_KEEPALIVE)},
                     {"idle", option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE)},
                     {"interval", option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL)},
                     {"user timeout", option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT)}});
  }
  return found;
}

}  // namespace

ASYNC_TEST_CASE("a line that dies in one direction or both is noticed at both ends in time, and no job is lost",
                "[link][dead]") {
  struct Case {
    std::string what;
    Line::Dead dead;
  };
  const std::vector<Case> cases = {{"to the relay", {.to_relay = true}},
                                   {"to the agent", {.to_agent = true}},
                                   {"both", {.to_relay = true, .to_agent = true}}};
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  for (const auto& one : cases) {
    INFO(one.what);
    site.rig.lines.lines.clear();
    const int links = site.agent->links;
    site.bench.command.hold();
    co_await site.orders.start(5);
    const auto begun = site.bench.command.begun();
    const bool running = co_await site.rig.until([&] { return site.bench.command.begun() > begun; });
    REQUIRE(running);
    const auto died = std::chrono::steady_clock::now();
    site.line->die(one.dead);
    site.bench.command.release();
    co_await site.orders.start(5);  // while nobody knows
    const bool left = co_await site.rig.until([&] { return site.rig.lines.has({"link.lost"}); });
    CHECK(left);
    CHECK(std::chrono::steady_clock::now() - died < noticed_within());
    const bool back = co_await site.rig.until(
        [&] { return site.agent->links > links && site.agent->status().state == agent::LinkState::ready; });
    CHECK(back);
    CHECK(std::chrono::steady_clock::now() - died < noticed_within() + 2s);
    const bool done = co_await site.orders.all_succeeded();
    CHECK(done);
    CHECK(each_step_once(site.bench, site.orders));
  }
  CHECK(site.agent->lines.has({"link.lost", "P10.3"}));
  co_await site.end();
}

ASYNC_TEST_CASE("a line that swallows every new connection too: the agent is back when it is", "[link][dead]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  site.line->swallow({.to_relay = true, .to_agent = true});
  co_await site.orders.start(5);
  const auto tried = site.line->connections();
  const bool failing = co_await site.rig.until([&] {
    return site.line->connections() > tried && site.agent->lines.has({"link.attempt_failed", "tls.timed_out"});
  });
  CHECK(failing);
  CHECK(site.rig.links.count() == 0);
  site.line->swallow({});
  const bool back = co_await site.agent->until_ready();
  CHECK(back);
  const bool done = co_await site.orders.all_succeeded();
  CHECK(done);
  CHECK(each_step_once(site.bench, site.orders));
  co_await site.end();
}

ASYNC_TEST_CASE("the sockets of a live link have the kernel's own limits, at both ends", "[link][dead]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  RealAgent agent(rig, identity);
  agent.start();
  const bool ready = co_await agent.until_ready();
  REQUIRE(ready);
  const Options wanted = {{"no delay", 1}, {"keep alive", 1}, {"idle", 10}, {"interval", 5}, {"user timeout", 15'000}};
  CHECK(options_of_sockets(rig.endpoint().port, ::getpeername) == std::vector{wanted});
  CHECK(options_of_sockets(rig.endpoint().port, ::getsockname) == std::vector{wanted});
  co_await agent.finish();
  co_await rig.finish();
}
