#include "agent/link/way_choice.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace std::chrono_literals;

namespace {

const SteadyTime kStart = SteadyTime() + 100h;
constexpr WayTimes kTimes{600s, 3600s};

WayChoice choice(Via via = Via::automatic, double random = 0.5) {
  return WayChoice(via, kTimes, [random] { return random; });
}

}  // namespace

TEST_CASE("the direct way goes first, and interference leads to the WebSocket at once", "[link][ways]") {
  auto ways = choice();
  CHECK(ways.first(kStart) == Way::direct);
  CHECK(ways.after(Way::direct, Obstacle::interference) == Way::websocket);
}

TEST_CASE("a relay that is merely away is asked twice before the WebSocket is tried", "[link][ways]") {
  auto ways = choice();
  CHECK(ways.after(Way::direct, Obstacle::nobody_there) == std::nullopt);
  CHECK(ways.after(Way::direct, Obstacle::nobody_there) == Way::websocket);
  ways.worked(Way::direct, kStart);
  CHECK(ways.after(Way::direct, Obstacle::nobody_there) == std::nullopt);
}

TEST_CASE("a handshake that nobody answers is waited for once, whatever the relay was before", "[link][ways]") {
  auto ways = choice();
  ways.after(Way::direct, Obstacle::nobody_there);  // the relay starts anew, and then all its agents come
  ways.after(Way::direct, Obstacle::nobody_there);
  CHECK(ways.bears_silence());
  CHECK(ways.after(Way::direct, Obstacle::silence) == std::nullopt);
  CHECK_FALSE(ways.bears_silence());
  CHECK(ways.after(Way::direct, Obstacle::silence) == Way::websocket);
  ways.worked(Way::direct, kStart);
  CHECK(ways.bears_silence());
}

TEST_CASE("whoever has one try takes the other way at once", "[link][ways]") {
  for (const auto why : {Obstacle::nobody_there, Obstacle::silence}) {
    WayChoice ways(Via::automatic, {.tries = 1}, [] { return 0.5; });
    CHECK_FALSE(ways.bears_silence());
    CHECK(ways.after(Way::direct, why) == Way::websocket);
  }
}

TEST_CASE("a WebSocket that was needed goes first for a while, then the direct way is tried again", "[link][ways]") {
  struct Case {
    double random;
    std::chrono::seconds until;
  };
  for (const auto& one : {Case{0.0, 600s}, Case{0.5, 2100s}, Case{1.0, 3600s}}) {
    INFO(one.random);
    auto ways = choice(Via::automatic, one.random);
    ways.worked(Way::websocket, kStart);
    CHECK(ways.first(kStart) == Way::websocket);
    ways.worked(Way::websocket, kStart + one.until - 2s);  // a further link does not put it off
    CHECK(ways.first(kStart + one.until - 1s) == Way::websocket);
    CHECK(ways.first(kStart + one.until) == Way::direct);
  }
}

TEST_CASE("a WebSocket that fails leads back to the direct way, which then goes first", "[link][ways]") {
  auto ways = choice();
  ways.worked(Way::websocket, kStart);
  CHECK(ways.after(Way::websocket, Obstacle::nobody_there) == Way::direct);
  CHECK(ways.first(kStart) == Way::direct);
  ways.worked(Way::websocket, kStart);
  ways.worked(Way::direct, kStart);
  CHECK(ways.first(kStart) == Way::direct);
}

TEST_CASE("a way that is set is the only one", "[link][ways]") {
  for (const auto& [via, way] : {std::pair(Via::direct, Way::direct), std::pair(Via::websocket, Way::websocket)}) {
    auto ways = choice(via);
    CHECK(ways.first(kStart) == way);
    CHECK(ways.after(way, Obstacle::interference) == std::nullopt);
    ways.worked(Way::websocket, kStart);
    CHECK(ways.first(kStart) == way);
  }
}
