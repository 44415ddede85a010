#include "agent/link/own_clock.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

// A machine whose wall clock a test sets.
struct Machine final : Clock, platform::BootClock {
  SteadyTime steady() const override { return {}; }
  WallTime wall() const override { return shown; }
  time_point now() const override { return since_boot; }
  void pass(milliseconds time) {
    shown += time;
    since_boot += time;
  }
  WallTime shown = from_unix_ms(1'700'000'000'000);
  platform::BootTime since_boot{5h};
};

}  // namespace

TEST_CASE("a clock that goes as time does is told", "[link][clock]") {
  Machine machine;
  OwnClock clock(machine, machine);
  for (int minute = 0; minute < 3 * 24 * 60; ++minute) {
    machine.pass(1min);
    if (minute % 60 == 0) machine.shown += 1s;  // 278 ppm
    REQUIRE(clock.tell() == machine.shown);
  }
}

TEST_CASE("a clock that was set says nothing for a day, forward or back, also while nobody asked", "[link][clock]") {
  for (const auto jump : {milliseconds(-24h), milliseconds(-35s), milliseconds(35s), milliseconds(24h * 365)}) {
    INFO("set by " << jump.count() << " ms");
    Machine machine;
    OwnClock clock(machine, machine);
    REQUIRE(clock.tell());
    machine.pass(GENERATE(milliseconds(1s), milliseconds(1h)));
    machine.shown += jump;
    CHECK_FALSE(clock.tell());
    machine.pass(24h - 1s);
    CHECK_FALSE(clock.tell());
    machine.pass(2s);
    CHECK(clock.tell() == machine.shown);
  }
}

TEST_CASE("a clock that is set again, or set right, begins its day anew", "[link][clock]") {
  Machine machine;
  OwnClock clock(machine, machine);
  REQUIRE(clock.tell());
  machine.shown += 1h;
  CHECK_FALSE(clock.tell());
  machine.pass(23h);
  machine.shown -= 1h;
  CHECK_FALSE(clock.tell());
  machine.pass(23h);
  CHECK_FALSE(clock.tell());
  machine.pass(1h);
  CHECK(clock.tell() == machine.shown);
}

TEST_CASE("a clock that is set a little at each look is a clock that was set", "[link][clock]") {
  Machine machine;
  OwnClock clock(machine, machine);
  int told = 0;
  for (int look = 0; look < 60; ++look) {
    machine.pass(1min);
    machine.shown += 25s;
    told += clock.tell() ? 1 : 0;
  }
  CHECK(told == 2);
}

TEST_CASE("a clock that went as time does for a year is held to it all the same", "[link][clock]") {
  Machine machine;
  OwnClock clock(machine, machine);
  for (int hour = 0; hour < 365 * 24; ++hour) {
    machine.pass(1h);
    REQUIRE(clock.tell());
  }
  machine.shown += 90s;
  CHECK_FALSE(clock.tell());
}
