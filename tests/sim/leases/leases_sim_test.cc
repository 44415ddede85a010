#include "tests/sim/leases/world.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

namespace sallyport::sim {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

// Seeds with a violation among the first `count`.
std::size_t count_violations(Planted planted, std::uint64_t count) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) found += LeaseWorld(seed, planted).run().empty() ? 0 : 1;
  return found;
}

}  // namespace

// SALLYPORT_SIM_SEED and SALLYPORT_SIM_COUNT choose others; a failing seed replays identically.
TEST_CASE("no agent begins a step of a job that the relay has given to another", "[sim][leases]") {
  const std::uint64_t first = number_from("SALLYPORT_SIM_SEED", 1);
  const std::uint64_t count = number_from("SALLYPORT_SIM_COUNT", 5'000);
  std::cout << "lease histories: seeds " << first << " .. " << first + count - 1 << "\n";
  LeaseWorld::Tally sum;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    LeaseWorld world(seed, Planted::none);
    const std::string violation = world.run();
    INFO("seed " << seed);
    REQUIRE(violation == "");
    sum.begun += world.tally().begun;
    sum.stale += world.tally().stale;
    sum.confirmed += world.tally().confirmed;
    sum.fenced += world.tally().fenced;
    sum.moved += world.tally().moved;
  }
  std::cout << sum.begun << " steps begun, " << sum.moved << " changes of hands; " << sum.stale
            << " dispatches read too late, " << sum.confirmed << " confirmed, " << sum.fenced << " fenced\n";
  CHECK(sum.begun >= 100 * count);  // the dice leave room for work,
  CHECK(sum.moved >= count);        // and do strike
  CHECK(sum.confirmed >= count / 10);
  CHECK(sum.fenced >= count / 10);
}

TEST_CASE("the same seed is the same history of leases", "[sim][leases]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LeaseWorld first(seed, Planted::none), second(seed, Planted::none);
    CHECK(first.run() == second.run());
    CHECK(first.tally().begun == second.tally().begun);
  }
}

TEST_CASE("planted faults of leases are noticed", "[sim][leases][control]") {
  for (const auto planted :
       {Planted::dispatch_counts_from_reading, Planted::renewal_counts_from_reading, Planted::clock_stops_in_sleep,
        Planted::rests_on_newest_at_sending, Planted::missing_is_never_held}) {
    INFO("planted " << static_cast<int>(planted));
    const auto found = count_violations(planted, 200);
    std::cout << "planted " << static_cast<int>(planted) << ": noticed in " << found << " of 200 histories\n";
    CHECK(found > 0);
  }
}

}  // namespace sallyport::sim
