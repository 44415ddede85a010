#include "relay/gateway/agent_clocks.h"
#include "relay/domain/trusted_clock.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <limits>
#include <numeric>

using namespace sallyport;
using namespace sallyport::gateway;
using namespace sallyport::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kYear = 24h * 365;

OrgId org(int number) { return OrgId(fmt::format("org_{}", number)); }
domain::AgentsTime all_say(std::int64_t wall_ms) { return {from_unix_ms(wall_ms), from_unix_ms(wall_ms)}; }
AgentId agent(int number) { return AgentId(fmt::format("agt_{}", number)); }

// Agents that say how far ahead of the truth their clocks are.
template <class Clocks>
struct World {
  World() { time.freeze(); }
  void say(int organisation, int which, milliseconds ahead) {
    clocks.hear(org(organisation), agent(which), unix_ms(time.wall() + ahead));
  }
  // How far ahead of the truth it is at least by the agents' clocks; nothing: they say nothing.
  std::optional<milliseconds> ahead() const {
    const auto now = clocks.now();
    return now ? std::optional(now->least - time.wall()) : std::nullopt;
  }
  std::optional<milliseconds> at_most() const {
    const auto now = clocks.now();
    return now ? std::optional(now->most - time.wall()) : std::nullopt;
  }
  MovableClock time;
  Clocks clocks{time};
};

// Clocks with a fault each, for what the tests ask of them to find.
struct MedianOfAll {  // whoever has most agents decides
  explicit MedianOfAll(const Clock& clock) : clock(clock) {}
  void hear(const OrgId&, const AgentId&, std::int64_t wall_ms) { said.push_back(wall_ms); }
  void expect(std::size_t) {}
  std::optional<domain::AgentsTime> now() const {
    auto sorted = said;
    std::ranges::sort(sorted);
    const auto median = from_unix_ms(sorted[sorted.size() / 2]);
    return domain::AgentsTime{median, median};
  }
  const Clock& clock;
  std::vector<std::int64_t> said;
};

struct OfThoseHeard : AgentClocks {  // whoever keeps the others away decides
  using AgentClocks::AgentClocks;
  void expect(std::size_t) { AgentClocks::expect(0); }
};

template <class Clocks>
milliseconds after_thousand_liars() {
  World<Clocks> world;
  world.clocks.expect(3);
  for (int one = 0; one < 1'000; ++one) world.say(1, one, kYear);
  world.say(2, 2'000, 0ms);
  world.say(3, 3'000, 0ms);
  return world.ahead().value_or(0ms);
}

template <class Clocks>
milliseconds after_a_liar_alone() {
  World<Clocks> world;
  world.clocks.expect(10);
  world.say(1, 1, kYear);
  return world.ahead().value_or(0ms);
}

}  // namespace

TEST_CASE("one agent of one organisation says what time it is", "[gateway][clock]") {
  World<AgentClocks> world;
  world.say(1, 1, 7s);
  CHECK_FALSE(world.ahead());  // how many there are is not known
  world.clocks.expect(1);
  CHECK(world.ahead() == 7s);
  world.time.advance(2min);
  CHECK(world.ahead() == 7s);
  world.say(1, 1, 3s);
  CHECK(world.ahead() == 3s);
  world.clocks.leave(org(1), agent(1));
  CHECK_FALSE(world.ahead());
  world.clocks.leave(org(1), agent(1));
}

TEST_CASE("what was heard too long ago counts no more", "[gateway][clock]") {
  World<AgentClocks> world;
  world.clocks.expect(1);
  world.say(1, 1, 0ms);
  world.time.advance(3min);
  CHECK(world.ahead() == 0ms);
  world.time.advance(1ms);
  CHECK_FALSE(world.ahead());
  world.say(1, 2, 5s);
  CHECK(world.ahead() == 5s);  // and of the two it is the fresh one
}

TEST_CASE("an organisation's word is the median of its agents, of two the earlier", "[gateway][clock]") {
  World<AgentClocks> world;
  world.clocks.expect(1);
  world.say(1, 1, 9s);
  world.say(1, 2, -4s);
  CHECK(world.ahead() == -4s);
  world.say(1, 3, 1s);
  CHECK(world.ahead() == 1s);
  world.say(1, 4, kYear);
  CHECK(world.ahead() == 1s);
}

TEST_CASE("it takes more than half of the organisations to say that it is so late, or so early", "[gateway][clock]") {
  for (int count = 1; count <= 9; ++count) {
    for (int liars = 0; liars <= count; ++liars) {
      INFO(liars << " of " << count << " organisations lie");
      World<AgentClocks> later, earlier;
      for (auto* world : {&later, &earlier}) {
        world->clocks.expect(static_cast<std::size_t>(count));
        const auto lie = world == &later ? kYear : -kYear;
        for (int one = 0; one < count; ++one) world->say(one, one, one < liars ? lie : 0ms);
      }
      REQUIRE(later.ahead() == (2 * liars > count ? kYear : 0ms));
      REQUIRE(earlier.at_most() == (2 * liars > count ? -kYear : 0ms));
    }
  }
}

TEST_CASE("organisations that are not heard do not say that it is late", "[gateway][clock]") {
  World<AgentClocks> world;
  world.clocks.expect(4);
  world.say(1, 1, 0ms);
  world.say(2, 2, 0ms);
  CHECK_FALSE(world.ahead());
  world.say(3, 3, 2s);
  CHECK(world.ahead() == 0ms);
  world.say(4, 4, 5s);
  world.say(5, 5, 9s);  // more than are counted: one that is new
  CHECK(world.ahead() == 2s);
  world.clocks.leave(org(1), agent(1));
  world.clocks.leave(org(2), agent(2));
  CHECK(world.ahead() == 2s);  // all three that are heard, of four
  CHECK(world.at_most() == 9s);
  world.clocks.leave(org(3), agent(3));
  CHECK_FALSE(world.ahead());
}

TEST_CASE("times that cannot be are passed over, and cost nothing", "[gateway][clock]") {
  World<AgentClocks> world;
  world.clocks.expect(1);
  using Limits = std::numeric_limits<std::int64_t>;
  for (const auto wall_ms : {Limits::min(), std::int64_t{-1}, std::int64_t{253'402'300'800'000}, Limits::max()}) {
    world.clocks.hear(org(1), agent(1), wall_ms);
    CHECK_FALSE(world.ahead());
  }
  world.clocks.hear(org(1), agent(1), 0);
  CHECK(world.clocks.now() == all_say(0));
  world.clocks.hear(org(1), agent(1), 253'402'300'799'999);
  CHECK(world.clocks.now() == all_say(253'402'300'799'999));
}

TEST_CASE("neither a thousand agents of one organisation nor one that keeps the others away make it later",
          "[gateway][clock]") {
  CHECK(after_thousand_liars<AgentClocks>() == 0ms);
  CHECK(after_a_liar_alone<AgentClocks>() == 0ms);
}

TEST_CASE("positive control: votes by agent, and votes of who is heard, are found", "[gateway][clock]") {
  CHECK(after_thousand_liars<MedianOfAll>() == kYear);
  CHECK(after_a_liar_alone<OfThoseHeard>() == kYear);
}

// The worst that there is: the wall clock is forged as the liars say.
TEST_CASE("half of the organisations and a forged wall clock move what is believed neither forward nor back",
          "[gateway][clock]") {
  World<AgentClocks> world;
  world.clocks.expect(4);
  const auto began = world.time.wall();
  domain::TrustedClock guard(std::nullopt);
  const auto judge = [&](milliseconds lie) {
    for (int one = 0; one < 4; ++one) world.say(one, one, one < 2 ? lie : 0ms);
    return guard.judge({.wall = world.time.wall() + lie,
                        .since_boot = 1h + (world.time.wall() - began),
                        .boot = "boot",
                        .agents = world.clocks.now()});
  };
  REQUIRE(judge(0ms) == began);
  for (const auto lie : {kYear, -kYear}) {
    world.time.advance(10min);
    const auto believed = judge(lie);
    CHECK(believed <= world.time.wall());
    CHECK(believed > world.time.wall() - 2s);
  }
}
