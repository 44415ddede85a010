#include "shared/async/sources.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {
const SteadyTime kStart{std::chrono::hours(1)};
}

TEST_CASE("memory stays bounded: whoever was quiet longest makes room", "[async][limits]") {
  BoundedTable<int> table(3);
  for (const auto* key : {"a", "b", "c"}) table.touch(key) = 1;
  table.touch("a");
  table.touch("d");
  CHECK(table.size() == 3);
  CHECK(table.find("b") == nullptr);
  CHECK(table.find("a") != nullptr);
  table.erase("a");
  table.erase("never");
  CHECK(table.size() == 2);
  SourceBackOff back_off({.sources = 100});
  for (int i = 0; i < 1000; ++i) back_off.failed(std::to_string(i), kStart);
  CHECK(back_off.size() == 100);
}

TEST_CASE("failures block a source for longer each time", "[async][limits]") {
  SourceBackOff back_off({.free_failures = 2, .first = 1s, .longest = 5s, .forget = 60s});
  auto now = kStart;
  CHECK(back_off.failed("s", now) == Failure::counted);
  CHECK(back_off.failed("s", now) == Failure::counted);
  CHECK_FALSE(back_off.blocked_for("s", now));
  CHECK(back_off.failed("s", now) == Failure::now_blocked);
  CHECK(back_off.blocked_for("s", now) == 1s);
  CHECK_FALSE(back_off.blocked_for("other", now));
  for (const auto expected : {2s, 4s, 5s, 5s}) {
    now += *back_off.blocked_for("s", now);
    CHECK_FALSE(back_off.blocked_for("s", now));
    CHECK(back_off.failed("s", now) == Failure::counted);  // said once
    CHECK(back_off.blocked_for("s", now) == expected);
  }
}

TEST_CASE("success or time forgets failures", "[async][limits]") {
  SourceBackOff back_off({.free_failures = 1, .forget = 60s});
  back_off.failed("s", kStart);
  back_off.failed("s", kStart);
  back_off.succeeded("s");
  CHECK_FALSE(back_off.blocked_for("s", kStart));
  CHECK(back_off.failed("s", kStart) == Failure::counted);
  CHECK(back_off.failed("s", kStart + 61s) == Failure::counted);
  CHECK(back_off.failed("s", kStart + 62s) == Failure::now_blocked);
}

TEST_CASE("a source is an IPv4 address or an IPv6 network", "[async][limits]") {
  CHECK(source_of("192.0.2.7") == "192.0.2.7");
  CHECK(source_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64");
  CHECK(source_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64");
  CHECK(source_of("::ffff:192.0.2.7") == "192.0.2.7");
  CHECK(source_of("unknown") == "unknown");
}

TEST_CASE("one source holds half of the places, n sources share them, a new one finds its place", "[async]") {
  FairShare places(64);
  const auto fill = [&](const std::string& source) {
    while (places.has_place_for(source)) places.take(source);
    return places.held_by(source);
  };
  CHECK(fill("a") == 32);
  CHECK(fill("b") == 16);
  CHECK(fill("c") == 8);
  CHECK_FALSE(places.has_place_for("a"));
  for (int i = 0; i < 20; ++i) places.give_back("a");
  CHECK(places.held_by("a") == 12);
  CHECK(fill("c") > 8);  // what one gives back is there for the others
  CHECK(places.taken() < 64);
  CHECK(places.has_place_for("d"));
}

TEST_CASE("places run out only when there are as many sources", "[async]") {
  FairShare places(8);
  for (int i = 0; i < 8; ++i) {
    REQUIRE(places.has_place_for(std::to_string(i)));
    places.take(std::to_string(i));
    CHECK(places.is_full() == (i == 7));
  }
  CHECK_FALSE(places.has_place_for("8"));
  places.give_back("0");
  places.give_back("0");  // it has none any more
  CHECK(places.taken() == 7);
  CHECK(places.has_place_for("8"));
  CHECK_FALSE(places.has_place_for("1"));
}
