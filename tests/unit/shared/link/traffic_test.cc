#include "shared/link/traffic.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

TEST_CASE("traffic counts what went over a link within the last one to two seconds", "[link]") {
  link::Traffic traffic;
  const SteadyTime start(1h);
  CHECK(traffic.lately(start) == 0);
  traffic.add(100, start);
  traffic.add(50, start + 900ms);
  CHECK(traffic.lately(start + 999ms) == 150);
  CHECK(traffic.lately(start + 1'999ms) == 150);  // of the former second
  CHECK(traffic.lately(start + 2'100ms) == 0);
}

TEST_CASE("traffic of a former second is forgotten after a silence", "[link]") {
  link::Traffic traffic;
  const SteadyTime start(1h);
  traffic.add(100, start);
  traffic.add(10, start + 3s);
  CHECK(traffic.lately(start + 3s) == 10);
  traffic.add(1, start + 4s);
  CHECK(traffic.lately(start + 4s) == 11);
}
