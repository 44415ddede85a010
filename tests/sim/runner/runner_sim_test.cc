#include "tests/sim/runner/history.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

namespace sallyport::sim {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

// Seeds with a violation among `count` from `first` on.
std::size_t count_violations(Planted planted, std::uint64_t first, std::uint64_t count) {
  std::size_t found = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) found += History(seed, planted).run().empty() ? 0 : 1;
  return found;
}

}  // namespace

// SALLYPORT_SIM_SEED and SALLYPORT_SIM_COUNT choose others; a failing seed replays identically.
TEST_CASE("histories of one job: no step lost, none repeated, always an end", "[sim][runner]") {
  const std::uint64_t first = number_from("SALLYPORT_SIM_SEED", 1);
  const std::uint64_t count = number_from("SALLYPORT_SIM_COUNT", 3'000);
  std::cout << "runner histories: seeds " << first << " .. " << first + count - 1 << "\n";
  std::size_t crashes = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    History history(seed, Planted::none);
    const std::string violation = history.run();
    crashes += history.crashes();
    INFO("seed " << seed << "\n" << history.recipe_text());
    REQUIRE(violation == "");
  }
  CHECK(crashes >= count / 10);  // the dice do strike
}

TEST_CASE("the same seed is the same history", "[sim][runner]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    History first(seed, Planted::none), second(seed, Planted::none);
    CHECK(first.run() == second.run());
    CHECK(first.crashes() == second.crashes());
  }
}

TEST_CASE("planted faults are noticed", "[sim][runner][control]") {
  CHECK(count_violations(Planted::done_lost_in_crash, 1, 300) > 0);
  CHECK(count_violations(Planted::act_before_intent, 1, 300) > 0);
  CHECK(count_violations(Planted::act_without_lease, 1, 300) > 0);
  CHECK(count_violations(Planted::doubt_taken_as_fresh, 1, 300) > 0);
  CHECK(count_violations(Planted::doubt_forgotten, 1, 300) > 0);
  CHECK(count_violations(Planted::begun_without_worker, 1, 300) > 0);
}

}  // namespace sallyport::sim
