#include "tests/unit/agent/link/supervisor_rig.h"

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using Rig = SupervisorRig;

ASYNC_TEST_CASE("a link is ready after Welcome and a round trip", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  CHECK(ready);
  CHECK(rig.supervisor().status().relay_software == "sallyport-relay/test");
  CHECK(rig.relay.ends[0].session->peer().policy_summary_json == R"({"connections":[]})");
  co_await rig.finish();
  CHECK(rig.work.states == std::vector{LinkState::connecting, LinkState::ready, LinkState::stopped});
}

ASYNC_TEST_CASE("a relay whose dispatch path is deaf is never ready, and is left", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.deaf = true;
  rig.relay.heartbeat = 100ms;
  rig.start();
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 2; });
  CHECK(again);
  CHECK_FALSE(rig.work.saw(LinkState::ready));
  CHECK(rig.supervisor().status().last_problem.find("silent_peer") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a lost link comes back, and its work begins anew", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  for (int round = 1; round <= 3; ++round) {
    const bool ready = co_await rig.until(
        [&] { return rig.work.links == round && rig.supervisor().status().state == LinkState::ready; });
    REQUIRE(ready);
    rig.relay.cut();
    const bool lost = co_await rig.until_state(LinkState::connecting);
    REQUIRE(lost);
  }
  CHECK(rig.supervisor().status().last_problem.find("stream_failed") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("failed attempts are repeated with back-off", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.failures = 4;
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  REQUIRE(rig.relay.dialled.size() == 5);
  const std::vector<std::chrono::milliseconds> least = {10ms, 20ms, 40ms, 80ms};
  for (std::size_t i = 0; i < least.size(); ++i) CHECK(rig.relay.dialled[i + 1] - rig.relay.dialled[i] >= least[i]);
  CHECK(rig.supervisor().status().last_problem.find("connection refused") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("after an outage an agent is back as soon as after a moment, after refusals it is not", "[link]") {
  for (const auto code : {Errc::unavailable, Errc::timed_out, Errc::unauthenticated}) {
    INFO(to_string(code));
    Rig rig(co_await asio::this_coro::executor);
    rig.settings.backoff = {10ms, 60s, 10s, 40ms};  // half of each wait, as chance has it here
    rig.restart();
    rig.relay.failure = code;
    rig.relay.failures = 8;
    rig.start();
    const bool tried = co_await rig.until([&] { return rig.relay.failures == 0; });
    REQUIRE(tried);
    const auto failed = std::chrono::steady_clock::now();
    const bool ready = co_await rig.until_state(LinkState::ready);
    REQUIRE(ready);
    const auto late = std::chrono::steady_clock::now() - failed;
    CAPTURE(std::chrono::duration_cast<std::chrono::milliseconds>(late).count());
    CHECK((late < 500ms) == (code != Errc::unauthenticated));
    CHECK(rig.supervisor().status().failures == 8);
    const auto told = [](const auto& line) { return line.find("link.attempt_failed") != std::string::npos; };
    CHECK(std::ranges::count_if(rig.lines.lines, told) == 1);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("a link that breaks comes back at once, however often; one that never was ready does not", "[link]") {
  for (const bool ready_before : {true, false}) {
    INFO((ready_before ? "ready" : "never ready"));
    Rig rig(co_await asio::this_coro::executor);
    rig.settings.backoff = {10ms, 60s, 10s, 40ms};
    rig.restart();
    if (!ready_before) rig.relay.heartbeat = 20s, rig.relay.deaf = true;
    rig.start();
    for (std::size_t link = 1; link <= 8; ++link) {
      const bool there = co_await rig.until([&] {
        if (rig.relay.ends.size() != link) return false;
        return !ready_before || rig.supervisor().status().state == LinkState::ready;
      });
      REQUIRE(there);
      rig.relay.cut();
      const bool lost = co_await rig.until([&] { return rig.supervisor().status().failures == link; });
      REQUIRE(lost);
    }
    const auto cut = std::chrono::steady_clock::now();
    const bool again = co_await rig.until([&] { return rig.relay.ends.size() == 9; });
    REQUIRE(again);
    CHECK((std::chrono::steady_clock::now() - cut < 500ms) == ready_before);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("a refusal with a time is honoured, a revoked agent waits for its restart", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [](const link::Peer&) { return link::Refusal{"overloaded", "later", 150ms}; };
  rig.start();
  bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 2; });
  REQUIRE(again);
  CHECK(rig.relay.dialled[1] - rig.relay.dialled[0] >= 150ms);

  rig.relay.gate = [](const link::Peer&) { return link::Refusal{"revoked", "not any more", 0ms}; };
  const bool refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  const auto attempts = rig.relay.dialled.size();
  co_await sleep_for(500ms);  // longer than any back-off here: nothing may happen
  CHECK(rig.relay.dialled.size() == attempts);
  CHECK(rig.supervisor().status().last_problem.find("revoked") != std::string::npos);

  rig.relay.gate = nullptr;
  rig.supervisor().stop("the agent restarts");
  co_await rig.tasks.join();
  rig.restart();
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  CHECK(ready);
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent without a common version looks in now and then, and is back after a roll-back", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [](const link::Peer&) { return link::Refusal{"version", "this relay speaks 7 to 9", 0ms}; };
  rig.start();
  bool refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 3; });
  REQUIRE(again);
  for (int i = 0; i < 2; ++i) CHECK(rig.relay.dialled[i + 1] - rig.relay.dialled[i] >= 300ms);
  refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  CHECK(rig.work.disowned.empty());
  rig.relay.gate = nullptr;
  const bool ready = co_await rig.until_state(LinkState::ready);
  CHECK(ready);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a refusal without a time parks the agent only when nothing but a person can help", "[link]") {
  struct Case {
    const char* code;
    std::chrono::milliseconds least;  // until it tries again; 0: it does not
    bool disowned;
  };
  const auto [code, least, disowned] = GENERATE(values<Case>({{"revoked", 0ms, true},
                                                              {"version", 300ms, false},
                                                              {"protocol", 150ms, false},
                                                              {"replaced", 150ms, false},
                                                              {"moved", 150ms, false},
                                                              {"overloaded", 150ms, false},
                                                              {"quarantined", 150ms, true},
                                                              {"a word of a later relay", 150ms, false}}));
  INFO(code);
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [code = code](const link::Peer&) { return link::Refusal{code, "no", 0ms}; };
  rig.start();
  if (least == 0ms) {
    const bool refused = co_await rig.until_state(LinkState::refused);
    CHECK(refused);
    CHECK(rig.work.disowned == code);
    CHECK(rig.work.revoked);
    co_return co_await rig.finish();
  }
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 2; });
  REQUIRE(again);
  CHECK(rig.relay.dialled[1] - rig.relay.dialled[0] >= least);
  CHECK(rig.work.saw(LinkState::refused) == (std::string_view(code) == "version"));
  CHECK(rig.work.disowned == (disowned ? code : ""));
  rig.relay.failures = 2;  // that a link cannot be had says nothing else about the agent
  const bool tried = co_await rig.until([&] { return rig.relay.failures == 0; });
  REQUIRE(tried);
  CHECK(rig.work.disowned == (disowned ? code : ""));
  rig.relay.gate = nullptr;
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  CHECK(rig.work.disowned.empty());
  CHECK_FALSE(rig.work.revoked);
  co_await rig.finish();
}

ASYNC_TEST_CASE("who was told to come back is not revoked for good by a refusal for its version", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [&](const link::Peer&) {
    return rig.relay.dialled.size() < 2 ? link::Refusal{"revoked", "no", 100ms} : link::Refusal{"version", "no", 0ms};
  };
  rig.start();
  const bool refused = co_await rig.until_state(LinkState::refused);
  CHECK(refused);
  CHECK(rig.work.disowned == "revoked");
  CHECK_FALSE(rig.work.revoked);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a Pong that comes late never reaches a later link", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.work.thinks = 120ms;
  rig.start();
  bool there = co_await rig.until([&] { return rig.work.links == 1 && rig.relay.ends[0].session->proven(); });
  REQUIRE(there);
  there = co_await rig.until([&] { return rig.work.thinking > 0; });
  REQUIRE(there);
  rig.relay.cut();
  there = co_await rig.until([&] { return rig.supervisor().status().state == LinkState::connecting; });
  REQUIRE(there);
  CHECK(rig.work.thinking == 0);  // gone with its link
  there = co_await rig.until([&] { return rig.work.links == 2 && rig.relay.ends[1].session->proven(); });
  CHECK(there);
  CHECK_FALSE(rig.relay.ends[1].end);
  co_await rig.finish();
}

ASYNC_TEST_CASE("stopping works while dialling and while waiting", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Rig dialling(executor);
  dialling.relay.hangs = true;
  dialling.start();
  bool there = co_await dialling.until([&] { return !dialling.relay.dialled.empty(); });
  REQUIRE(there);
  co_await dialling.finish();

  Rig waiting(executor);
  waiting.relay.gate = [](const link::Peer&) { return link::Refusal{"revoked", "no", 0ms}; };
  waiting.start();
  there = co_await waiting.until_state(LinkState::refused);
  REQUIRE(there);
  co_await waiting.finish();
}

ASYNC_TEST_CASE("cancelling run() ends the link too", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.tasks.stop();
  co_await rig.tasks.join();
  CHECK(rig.supervisor().status().state == LinkState::stopped);
  co_await rig.relay.tasks.join();
  CHECK(rig.relay.ends[0].end->end == link::LinkEnd::peer_closed);
}

ASYNC_TEST_CASE("a drain tells the relay and ends by itself", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.supervisor().drain("SIGTERM", 5s);
  co_await rig.tasks.join();
  co_await rig.relay.tasks.join();
  CHECK(rig.relay.ends[0].owner.went_away == "SIGTERM");
  CHECK(rig.relay.ends[0].end->end == link::LinkEnd::drained);
  CHECK(rig.work.states ==
        std::vector{LinkState::connecting, LinkState::ready, LinkState::draining, LinkState::stopped});
}

ASYNC_TEST_CASE("an agent that drains links again as long as it has something to report, and says that it drains",
                "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.work.opens_jobs = rig.work.reports = true;
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.supervisor().drain("SIGTERM", 1h);
  for (std::size_t i = 0; i < 3; ++i) {
    const bool told = co_await rig.until([&] {
      return rig.relay.ends.size() == i + 1 && rig.relay.ends[i].owner.went_away == "SIGTERM" &&
             rig.work.links == int(i) + 1;
    });
    REQUIRE(told);
    if (i == 1) rig.relay.failures = 2;
    rig.relay.cut();
  }
  const bool again = co_await rig.until([&] { return rig.relay.ends.size() == 4; });
  CHECK(again);
  rig.work.reports = false;
  rig.relay.cut();
  co_await rig.tasks.join();
  CHECK(rig.relay.dialled.size() == 6);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a drain is over when its time is, linked or not", "[link]") {
  for (const bool away : {false, true}) {
    Rig rig(co_await asio::this_coro::executor);
    rig.work.opens_jobs = rig.work.reports = true;
    rig.start();
    const bool ready = co_await rig.until_state(LinkState::ready);
    REQUIRE(ready);
    rig.relay.hangs = away;
    if (away) rig.relay.cut();
    const auto begun = std::chrono::steady_clock::now();
    rig.supervisor().drain("SIGTERM", 300ms);
    co_await rig.tasks.join();
    const auto took = std::chrono::steady_clock::now() - begun;
    CHECK(took >= 300ms);
    CHECK(took < 10s);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("a relay that goes away is left and dialled again", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.relay.ends[0].session->go_away("upgrade", 5s);
  ready = co_await rig.until(
      [&] { return rig.relay.ends.size() == 2 && rig.supervisor().status().state == LinkState::ready; });
  CHECK(ready);
  CHECK(rig.work.went_away == "upgrade");
  CHECK(rig.work.saw(LinkState::draining));
  co_await rig.finish();
}

ASYNC_TEST_CASE("a link whose work returned is replaced", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.work.returns = true;
  rig.start();
  const bool again = co_await rig.until([&] { return rig.work.links >= 2; });
  CHECK(again);
  rig.work.returns = false;
  co_await rig.finish();
}

ASYNC_TEST_CASE("a relay that wants to know is told the time when the link is up, and once a minute at most",
                "[link][clock]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.heartbeat = 20ms;
  rig.relay.wants_time = true;
  rig.settings.session.self.capabilities.emplace_back(agent::kClock);
  rig.settings.session.times.misses = 1'000'000;
  rig.restart();
  rig.start();
  const auto told = [&](std::size_t link) { return rig.relay.ends.at(link).owner.controls; };
  const auto pings = [&](int more) {
    return rig.until([&rig, wanted = rig.work.pings + more] { return rig.work.pings >= wanted; });
  };
  bool went_on = co_await rig.until_state(LinkState::ready);
  went_on = went_on && co_await pings(5);
  REQUIRE(went_on);
  CHECK(told(0) == 1);
  rig.clock.ahead += 61s;
  went_on = co_await rig.until([&] { return told(0) == 2; }) && co_await pings(5);
  CHECK(went_on);
  CHECK(told(0) == 2);
  rig.clock.ahead = 0ms;
  rig.relay.cut();
  went_on = co_await rig.until([&] { return rig.relay.ends.size() == 2 && told(1) == 1; });
  CHECK(went_on);
  co_await rig.finish();
}

ASYNC_TEST_CASE("an older relay is not told the time", "[link][clock]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.heartbeat = 20ms;
  rig.settings.session.self.capabilities.emplace_back(agent::kClock);
  rig.restart();
  rig.start();
  const bool pinged = co_await rig.until([&] { return rig.work.pings >= 5; });
  CHECK(pinged);
  CHECK(rig.relay.ends[0].owner.controls == 0);
  co_await rig.finish();
}
