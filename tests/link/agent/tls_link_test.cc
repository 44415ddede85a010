#include "tests/link/agent/link_rig.h"
#include "tests/link/agent/tinyproxy.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

ASYNC_TEST_CASE("agent and relay link over mutual TLS and come back when cut", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  rig.start();
  bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  CHECK(rig.relay.guests[0].id == must(rig.identities.load()).id);
  rig.relay.guests[0].session->stop("cut by the test");
  ready = co_await rig.until(
      [&] { return rig.relay.guests.size() == 2 && rig.supervisor.status().state == LinkState::ready; });
  CHECK(ready);
  CHECK(rig.work.links == 2);
  co_await rig.finish();
}

ASYNC_TEST_CASE("the link goes through a real proxy", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  // The relay's port is known only when it listens: the proxy is started for it, and the dialer made again.
  LinkRig rig(executor);
  Tinyproxy proxy(rig.relay.endpoint().port);
  rig.dialer = Dialer(co_await asio::this_coro::executor, proxy.url(), process_environment);
  rig.start();
  const bool ready = co_await rig.until_ready();
  CHECK(ready);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a revoked agent is cut and told, and does not come back by itself", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  rig.relay.guests[0].session->refuse({"revoked", "this agent was revoked", 0ms});
  const bool refused = co_await rig.until([&] { return rig.supervisor.status().state == LinkState::refused; });
  CHECK(refused);
  CHECK(rig.supervisor.status().last_problem.find("this agent was revoked") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent of another deployment is refused with its reason", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  const Pki foreign(rig.clock);
  auto identity = must(rig.identities.load());
  auto pair = foreign.agent();
  must(rig.identities.install(
      {rig.relay.endpoint(), "dc1", pair.id, std::move(pair.key), pair.chain, foreign.root.certificate}));
  rig.start();
  const bool refused = co_await rig.until([&] { return rig.supervisor.status().failures >= 2; });
  REQUIRE(refused);
  CHECK(rig.relay.guests.empty());
  CHECK(rig.supervisor.status().last_problem.find("tls.wrong_ca") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("two thirds into its life the certificate is renewed, on the running link", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  const auto before = must(rig.identities.load());
  rig.start();
  bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  CHECK(rig.identities.installed == 0);
  rig.clock.advance(std::chrono::hours(21 * 24));
  const bool renewed = co_await rig.until([&] { return rig.identities.installed == 1; });
  REQUIRE(renewed);
  const auto after = must(rig.identities.load());
  CHECK(after.id == before.id);
  CHECK(after.key.public_key_der() != before.key.public_key_der());
  CHECK(after.chain[0].not_after() > before.chain[0].not_after());
  CHECK(rig.relay.guests.size() == 1);  // the link went on
  CHECK(rig.lines.has("certificate.renewed"));

  rig.relay.guests[0].session->stop("cut by the test");
  ready = co_await rig.until(
      [&] { return rig.relay.guests.size() == 2 && rig.supervisor.status().state == LinkState::ready; });
  REQUIRE(ready);
  CHECK(rig.relay.guests[0].serial == before.chain[0].serial());
  CHECK(rig.relay.guests[1].serial == after.chain[0].serial());
  co_await rig.finish();
}

ASYNC_TEST_CASE("what is installed is told to the relay, by the next link when the one it came by has ended",
                "[link]") {
  const auto link_ends = GENERATE(false, true);
  INFO(link_ends);
  LinkRig rig(co_await asio::this_coro::executor);
  rig.start();
  bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  rig.clock.advance(std::chrono::hours(21 * 24));
  const bool renewed = co_await rig.until([&] { return rig.identities.installed == 1; });
  REQUIRE(renewed);
  const std::vector serials{must(rig.identities.load()).chain[0].serial()};
  const std::size_t told = link_ends ? 1 : 0;  // the guest
  if (link_ends) rig.relay.guests[0].session->stop("cut by the test");
  const bool heard =
      co_await rig.until([&] { return rig.relay.guests.size() > told && !rig.relay.guests[told].installed.empty(); });
  REQUIRE(heard);
  CHECK(rig.relay.guests[told].installed == serials);
  if (link_ends) CHECK(rig.relay.guests[0].installed.empty());
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent whose clock is ahead renews once, and says what it sees", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  rig.start();
  bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  rig.relay.renew_behind = std::chrono::hours(25 * 24);
  rig.clock.advance(rig.relay.renew_behind);
  const bool renewed = co_await rig.until([&] { return rig.lines.has("clock.ahead"); });
  REQUIRE(renewed);
  co_await sleep_for(300ms);  // thirty looks at the clock
  CHECK(rig.identities.installed == 1);

  rig.relay.guests[0].session->stop("cut by the test");  // the next link does not forget it
  ready = co_await rig.until(
      [&] { return rig.relay.guests.size() == 2 && rig.supervisor.status().state == LinkState::ready; });
  REQUIRE(ready);
  co_await sleep_for(100ms);
  CHECK(rig.identities.installed == 1);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a renewal that is refused or wrong changes nothing and is tried again", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  rig.relay.renew_error = "the organisation is suspended";
  const auto before = must(rig.identities.load());
  rig.start();
  const bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  rig.clock.advance(std::chrono::hours(21 * 24));
  bool logged = co_await rig.until([&] { return rig.lines.has("the organisation is suspended"); });
  CHECK(logged);
  rig.relay.renew_error.clear();
  rig.relay.renew_for_other_key = true;
  logged = co_await rig.until([&] { return rig.lines.has("the certificate is for another key"); });
  CHECK(logged);
  CHECK(rig.identities.installed == 0);
  CHECK(must(rig.identities.load()).chain == before.chain);
  rig.relay.renew_for_other_key = false;
  const bool renewed = co_await rig.until([&] { return rig.identities.installed == 1; });
  CHECK(renewed);
  co_await rig.finish();
}

ASYNC_TEST_CASE("the relay that was asked for is dialled, whatever the identity says", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  auto identity = must(rig.identities.load());
  identity.relay = {"127.0.0.1", 1};  // moved since the enrolment
  must(rig.identities.install(identity));
  const auto soon = [&] { return rig.clock.steady() + 5s; };
  const auto old = co_await rig.transport.connect(identity.relay, soon());
  CHECK_FALSE(old);
  const auto stream = co_await rig.transport.connect(rig.relay.endpoint(), soon());
  CHECK(stream);
  co_await rig.finish();
}
