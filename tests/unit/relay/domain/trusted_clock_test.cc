#include "relay/domain/trusted_clock.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::domain;
using namespace std::chrono_literals;

namespace {

const WallTime kNoon = from_unix_ms(1'700'000'000'000);
constexpr milliseconds kUptime = 5h;

// A machine whose clocks go right until a test sets them.
struct Machine {
  WallTime now = kNoon;
  milliseconds wall_ahead{0};
  milliseconds since_boot = kUptime;
  std::string boot = "boot-1";

  void pass(milliseconds time) {
    now += time;
    since_boot += time;
  }
  ClockSample alone() const { return {.wall = now + wall_ahead, .since_boot = since_boot, .boot = boot}; }
  ClockSample with_agents(milliseconds ahead = 0ms) const { return with_agents(ahead, ahead); }
  ClockSample with_agents(milliseconds least, milliseconds most) const {
    auto sample = alone();
    sample.agents = {now + least, now + most};
    return sample;
  }
};

// What is believed `passed` after it was confirmed.
WallTime steady(milliseconds passed) { return kNoon + passed - passed / 2'000; }

// A guard that believed the machine's clock once.
TrustedClock settled(const Machine& machine) {
  TrustedClock guard(std::nullopt);
  REQUIRE(guard.judge(machine.with_agents()) == machine.now);
  return guard;
}

}  // namespace

TEST_CASE("nothing is believed before a second opinion was heard", "[domain][clock]") {
  Machine machine;
  TrustedClock guard(std::nullopt);
  for (int round = 0; round < 100; ++round) {
    machine.pass(1h);
    CHECK_FALSE(guard.judge(machine.alone()));
  }
  CHECK(guard.standing() == ClockStanding::unknown);
  CHECK_FALSE(guard.to_save());
  machine.wall_ahead = 24h * 365;
  CHECK_FALSE(guard.judge(machine.with_agents()));  // the agents say otherwise
  machine.wall_ahead = 0ms;
  CHECK(guard.judge(machine.with_agents()) == machine.now);
  CHECK(guard.standing() == ClockStanding::agreed);
}

TEST_CASE("the agents confirm, and a word of an operator does without", "[domain][clock]") {
  const Machine machine;
  CHECK(TrustedClock(std::nullopt).judge(machine.with_agents()) == kNoon);
  TrustedClock told(std::nullopt);
  told.confirm(machine.alone());
  CHECK(told.judge(machine.alone()) == kNoon);
}

TEST_CASE("of clocks that confirm each other the earliest is believed", "[domain][clock]") {
  const Machine machine;
  CHECK(TrustedClock(std::nullopt).judge(machine.with_agents(20s)) == kNoon);
  CHECK(TrustedClock(std::nullopt).judge(machine.with_agents(-20s)) == kNoon - 20s);
  CHECK(TrustedClock(std::nullopt).judge(machine.with_agents(30s)) == kNoon);
  CHECK_FALSE(TrustedClock(std::nullopt).judge(machine.with_agents(31s)));
  CHECK_FALSE(TrustedClock(std::nullopt).judge(machine.with_agents(-31s)));
}

TEST_CASE("one organisation of two takes a forged clock neither forward nor back", "[domain][clock]") {
  for (const auto lie : {milliseconds(24h * 365), milliseconds(-24h * 365)}) {
    INFO("ahead by " << lie.count() << " ms");
    Machine machine;
    auto guard = settled(machine);
    machine.pass(1h);
    machine.wall_ahead = lie;
    CHECK(guard.judge(machine.with_agents(std::min(lie, 0ms), std::max(lie, 0ms))) == steady(1h));
    CHECK(guard.standing() == (lie > 0ms ? ClockStanding::ahead : ClockStanding::behind));
    machine.wall_ahead = 0ms;
    CHECK(guard.judge(machine.with_agents(0ms, 24h * 365)) == machine.now);  // and a clock that is right is confirmed
  }
}

TEST_CASE("whatever the wall clock is set to, what is believed goes as time does", "[domain][clock]") {
  for (const auto jump : {milliseconds(-24h), milliseconds(-1h), milliseconds(-2min), milliseconds(3s),
                          milliseconds(1h), milliseconds(24h), milliseconds(24h * 30), milliseconds(24h * 365)}) {
    INFO("set by " << jump.count() << " ms");
    Machine machine;
    auto guard = settled(machine);
    machine.wall_ahead = jump;
    for (int minute = 0; minute < 48 * 60; ++minute) {
      machine.pass(1min);
      REQUIRE(guard.judge(machine.alone()) == steady(machine.now - kNoon));
    }
    machine.wall_ahead = 0ms;
    CHECK(guard.judge(machine.alone()) == steady(machine.now - kNoon));
    CHECK(guard.standing() == ClockStanding::agreed);
    CHECK(guard.judge(machine.with_agents()) == machine.now);
  }
}

TEST_CASE("a jump is told of, in its direction", "[domain][clock]") {
  Machine machine;
  auto guard = settled(machine);
  machine.wall_ahead = 3s;
  static_cast<void>(guard.judge(machine.alone()));
  CHECK(guard.standing() == ClockStanding::ahead);
  machine.wall_ahead = -3s;
  static_cast<void>(guard.judge(machine.alone()));
  CHECK(guard.standing() == ClockStanding::behind);
  machine.wall_ahead = 2s;
  static_cast<void>(guard.judge(machine.alone()));
  CHECK(guard.standing() == ClockStanding::agreed);
  CHECK(to_string(ClockStanding::unknown) == "unknown");
  CHECK(to_string(ClockStanding::behind) == "behind");
}

TEST_CASE("a forward step that the others confirm is believed at once", "[domain][clock]") {
  Machine machine;
  auto guard = settled(machine);
  machine.now += 10 * 24h;  // the machine slept, and this clock since boot did not count it
  CHECK(guard.judge(machine.alone()) == kNoon);
  CHECK(guard.judge(machine.with_agents()) == machine.now);
}

TEST_CASE("a clock that drifts is followed where it is slow, and never where it is fast", "[domain][clock]") {
  Machine machine;
  auto guard = settled(machine);
  for (int hour = 0; hour < 100; ++hour) {
    machine.pass(1h);
    machine.wall_ahead += 1s;  // 278 ppm
    REQUIRE(guard.judge(machine.alone()) == steady(machine.now - kNoon));
    REQUIRE(guard.standing() == ClockStanding::agreed);
  }
  Machine slow;
  auto follower = settled(slow);
  for (int hour = 0; hour < 10; ++hour) {
    slow.pass(1h);
    slow.wall_ahead -= 1'900ms;  // 528 ppm
    REQUIRE(follower.judge(slow.alone()) == slow.now + slow.wall_ahead);
  }
}

TEST_CASE("a wall clock that is slowed down a little at each look does not take time along", "[domain][clock]") {
  Machine machine;
  auto guard = settled(machine);
  for (int look = 0; look < 10'000; ++look) {
    machine.pass(10s);
    machine.wall_ahead -= 1s;
    static_cast<void>(guard.judge(machine.alone()));
  }
  CHECK(guard.judge(machine.alone()) == steady(machine.now - kNoon));
  CHECK(guard.standing() == ClockStanding::behind);
}

TEST_CASE("what is believed never goes back for the differences of clocks that agree", "[domain][clock]") {
  Machine machine;
  auto guard = settled(machine);
  WallTime last = kNoon;
  for (const auto ahead : {0s, -10s, 5s, -29s, 0s, -1s}) {
    machine.pass(1s);
    const auto now = guard.judge(machine.with_agents(ahead));
    REQUIRE(now >= last);
    REQUIRE(*now <= machine.now);
    last = *now;
  }
}

TEST_CASE("what all clocks say was ahead goes back, or it would destroy too early from then on", "[domain][clock]") {
  Machine machine;
  machine.wall_ahead = 24h * 365;
  TrustedClock guard(std::nullopt);
  guard.confirm(machine.alone());  // an operator who was wrong
  CHECK(guard.judge(machine.alone()) == kNoon + 24h * 365);
  machine.wall_ahead = 0ms;
  CHECK(guard.judge(machine.alone()) == kNoon + 24h * 365);  // one clock alone takes nothing back
  CHECK(guard.judge(machine.with_agents()) == kNoon);
}

TEST_CASE("in the same boot a process goes on where the last one was", "[domain][clock]") {
  Machine machine;
  const auto saved = settled(machine).to_save();
  REQUIRE(saved == SavedClock{kNoon, kUptime, "boot-1"});
  machine.pass(3 * 24h);
  CHECK(TrustedClock(saved).judge(machine.alone()) == steady(3 * 24h));
  machine.wall_ahead = 24h * 365;
  TrustedClock guard(saved);
  CHECK(guard.judge(machine.alone()) == steady(3 * 24h));
  CHECK(guard.standing() == ClockStanding::ahead);
}

TEST_CASE("in another boot only a second opinion tells how long the machine was off", "[domain][clock]") {
  Machine machine;
  const auto saved = settled(machine).to_save();
  machine.now += 3 * 24h;
  machine.boot = GENERATE(as<std::string>{}, "boot-2", "");
  // Also one that was up for longer: the data may have been moved to it.
  machine.since_boot = GENERATE(milliseconds(20s), milliseconds(24h * 300));
  TrustedClock guard(saved);
  CHECK(guard.judge(machine.alone()) == kNoon);
  CHECK(guard.standing() == ClockStanding::ahead);
  machine.pass(1h);
  CHECK(guard.judge(machine.alone()) == steady(1h));
  CHECK(guard.judge(machine.with_agents()) == machine.now);
}

TEST_CASE("a clock since boot that goes back is that of another boot, whatever it is called", "[domain][clock]") {
  Machine machine;
  const auto saved = settled(machine).to_save();
  machine.now += 24h;
  machine.since_boot = 1min;  // a snapshot of the running machine was taken up again
  TrustedClock guard(saved);
  CHECK(guard.judge(machine.alone()) == kNoon);
  machine.pass(10min);
  CHECK(guard.judge(machine.alone()) == steady(10min));
  machine.since_boot -= 5min;  // and in the life of a process
  CHECK(guard.judge(machine.alone()) == steady(10min));
  machine.pass(1min);
  CHECK(guard.judge(machine.alone()) == steady(10min) + 1min - 30ms);
}

TEST_CASE("without the name of its boot a process still goes as time does", "[domain][clock]") {
  Machine machine;
  machine.boot.clear();
  auto guard = settled(machine);
  machine.pass(2h);
  CHECK(guard.judge(machine.alone()) == steady(2h));
  CHECK(guard.to_save() == SavedClock{steady(2h), machine.since_boot, ""});
}
