// Several links at a time.
#include "tests/unit/agent/link/supervisor_rig.h"

#include <set>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

ASYNC_TEST_CASE("a second link is dialled when the first is ready, and not before", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.relay.deaf = true;
  rig.start();
  const bool greeted = co_await rig.until([&] { return rig.work.links == 1; });
  REQUIRE(greeted);
  co_await sleep_for(200ms);  // nothing may happen
  CHECK(rig.relay.dialled.size() == 1);
  rig.relay.deaf = false;
  rig.relay.cut();
  const bool both = co_await rig.until_links(2);
  CHECK(both);
  CHECK(rig.relay.ends[1].session->peer().link == 0);
  CHECK(rig.relay.ends[2].session->peer().link == 1);
  CHECK(rig.work.links == 2);  // the jobs of the first one that was ready
  co_await rig.finish();
}

ASYNC_TEST_CASE("the agent keeps what the relay wants, what it may itself, and one where either knows no more",
                "[link][links]") {
  struct Case {
    std::uint32_t wants, may;
    std::size_t kept;
  };
  for (const auto& [wants, may, kept] : std::vector<Case>{{2, 2, 2}, {4, 3, 3}, {4, 4, 4}, {1, 4, 1}, {0, 2, 1}}) {
    INFO(wants << " wanted, " << may << " allowed");
    ManyLinks rig(co_await asio::this_coro::executor, wants);
    rig.settings.links = may;
    rig.restart();
    rig.start();
    const bool there = co_await rig.until_links(kept);
    CHECK(there);
    co_await sleep_for(50ms);  // nor more
    CHECK(rig.relay.dialled.size() == kept);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("the jobs move to the link that is left, and a new one takes the place of the lost", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  CHECK(rig.work.links == 1);
  rig.relay.cut(1);  // without jobs
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 3 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.work.links == 1);
  rig.relay.cut(0);
  const bool moved = co_await rig.until([&] { return rig.work.links == 2; });
  REQUIRE(moved);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 4 && rig.supervisor().status().links == 2; });
  CHECK(both);
  CHECK(rig.work.links == 2);
  co_await rig.finish();
  CHECK(rig.work.states == std::vector{LinkState::connecting, LinkState::ready, LinkState::stopped});
}

ASYNC_TEST_CASE("links that the relay drains are replaced at once, as no failure", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.settings.backoff = {10s, 60s, 0s, 10s};
  rig.restart();
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  for (auto& end : rig.relay.ends) end.session->go_away("upgrade", 5s);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 4 && rig.supervisor().status().links == 2; });
  CHECK(both);
  CHECK(rig.supervisor().status().failures == 0);
  co_await rig.finish();
}

ASYNC_TEST_CASE("all links can be replaced while the former ones drain, and then the agent waits without a stir",
                "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor, 4);
  rig.settings.links = 4;
  rig.work.uses_links = true;
  rig.restart();
  rig.start();
  bool there = co_await rig.until_links(4);
  REQUIRE(there);
  for (std::size_t i = 0; i < 4; ++i) rig.relay.ends[i].session->go_away("upgrade", 1h);
  there = co_await rig.until([&] { return rig.relay.dialled.size() == 8 && rig.supervisor().status().links == 4; });
  REQUIRE(there);
  std::set<std::uint32_t> numbers;
  for (const auto& end : rig.relay.ends) numbers.insert(end.session->peer().link);
  CHECK(numbers.size() == 8);
  for (std::size_t i = 4; i < 8; ++i) rig.relay.ends[i].session->go_away("upgrade", 1h);
  there = co_await rig.until_links(0);
  REQUIRE(there);
  const auto before = rig.clock.looks;
  co_await sleep_for(300ms);  // longer than any pause here
  CHECK(rig.clock.looks - before < 200);
  CHECK(rig.relay.dialled.size() == 8);
  rig.relay.cut(2);  // its number is free
  there = co_await rig.until_links(1);
  CHECK(there);
  CHECK(rig.relay.ends[8].session->peer().link == rig.relay.ends[2].session->peer().link);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a relay that drains every new link is dialled with growing pauses", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor, 1);
  rig.settings.backoff = {20ms, 10s, 1h, 10s};
  rig.restart();
  rig.start();
  for (std::size_t i = 0; i < 5; ++i) {
    const bool ready =
        co_await rig.until([&] { return rig.relay.dialled.size() == i + 1 && rig.supervisor().status().links == 1; });
    REQUIRE(ready);
    rig.relay.ends[i].session->go_away("upgrade", 5s);
  }
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() == 6; });
  REQUIRE(again);
  CHECK(rig.supervisor().status().failures == 5);
  CHECK(rig.relay.dialled[5] - rig.relay.dialled[4] >= 160ms);  // half of 20 ms * 2^4, and of hand_over
  co_await rig.finish();
}

ASYNC_TEST_CASE("a link that drains is replaced elsewhere when the relay named another address", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.settings.relay = {"a.example", 1};
  rig.relay.addresses = {"a.example:1", "b.example:2"};
  rig.work.uses_links = true;
  rig.restart();
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  REQUIRE(rig.relay.dialled_at == std::vector<std::string>{"a.example:1", "b.example:2"});
  rig.relay.ends[0].session->go_away("upgrade", 1h);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 3 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.relay.dialled_at[2] == "b.example:2");
  rig.relay.addresses = {"a.example:1", "b.example:2", "c.example:3"};
  rig.relay.ends[1].session->go_away("upgrade", 1h);
  rig.relay.ends[2].session->go_away("upgrade", 1h);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 5 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.relay.dialled_at[4] == "c.example:3");
  co_await rig.finish();
}

ASYNC_TEST_CASE("links go to the addresses of the relay, and to the configured one when those fail", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.settings.relay = {"configured", 1};
  rig.relay.addresses = {"a.example:1", "no address", "b.example:2"};
  rig.restart();
  rig.start();
  const bool both = co_await rig.until_links(2);
  REQUIRE(both);
  CHECK(rig.relay.dialled_at == std::vector<std::string>{"configured:1", "a.example:1"});
  rig.relay.failures = 4;
  rig.relay.cut(0);
  rig.relay.cut(1);
  const bool tried = co_await rig.until([&] { return rig.relay.failures == 0; });
  REQUIRE(tried);
  const std::set<std::string> asked(rig.relay.dialled_at.begin() + 2, rig.relay.dialled_at.end());
  CHECK(asked.contains("configured:1"));
  CHECK(asked.contains("a.example:1"));
  CHECK(asked.contains("b.example:2"));
  co_await rig.finish();
}

ASYNC_TEST_CASE("a revoked agent leaves all its links; one that is refused as a copy on one link goes on",
                "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  rig.relay.ends[1].session->refuse({"quarantined", "an old certificate", 10ms});
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 3 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.work.disowned.empty());
  rig.relay.ends[0].session->refuse({"revoked", "not any more", 0ms});
  const bool refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  const bool left = co_await rig.until([&] { return rig.relay.ends[2].end.has_value(); });
  CHECK(left);
  CHECK(rig.work.disowned == "revoked");
  co_await sleep_for(300ms);  // longer than any back-off here
  CHECK(rig.relay.dialled.size() == 3);
  co_await rig.finish();
}
