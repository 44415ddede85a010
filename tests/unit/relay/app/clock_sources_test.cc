#include "relay/app/clock_sources.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

TEST_CASE("this machine's clocks go forward", "[app][clock]") {
  const auto first = app::sample_clocks();
  const auto second = app::sample_clocks();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(second->since_boot >= first->since_boot);
  CHECK(first->since_boot > 0ms);
  CHECK(first->boot.size() == 36);  // a UUID
  CHECK(first->boot == second->boot);
  CHECK(std::chrono::abs(first->wall - SystemClock().wall()) < 1h);
  CHECK_FALSE(first->agents);
}

TEST_CASE("a guard goes on with this machine's clocks", "[app][clock]") {
  const auto sample = app::sample_clocks();
  REQUIRE(sample);
  domain::TrustedClock guard(domain::SavedClock{sample->wall, sample->since_boot, sample->boot});
  CHECK(guard.judge(*app::sample_clocks()) >= sample->wall);
}
