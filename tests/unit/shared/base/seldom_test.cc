#include "shared/base/seldom.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

TEST_CASE("one of many is let through, and says how many there were", "[base]") {
  Seldom seldom(10s);
  const SteadyTime start{};
  CHECK(seldom.due(start) == 1);
  for (auto at = 50ms; at < 10s; at += 50ms) CHECK_FALSE(seldom.due(start + at).has_value());
  CHECK(seldom.due(start + 10s) == 200);
  CHECK_FALSE(seldom.due(start + 10s).has_value());
  CHECK(seldom.due(start + 60s) == 2);
}
