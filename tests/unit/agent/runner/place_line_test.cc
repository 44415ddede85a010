#include "agent/runner/place_line.h"

#include <catch2/catch.hpp>

#include <vector>

namespace sallyport::runner {
namespace {

const JobId kA("job_a"), kB("job_b"), kC("job_c"), kD("job_d");

struct Bench {
  explicit Bench(std::size_t places) : line(places, [this](const JobId& job) { woken.push_back(job); }) {}
  std::vector<JobId> woken;
  PlaceLine line;
};

}  // namespace

TEST_CASE("there are as many places as there are", "[places]") {
  Bench bench(2);
  CHECK(bench.line.take(kA));
  CHECK(bench.line.take(kA));  // a job may have several
  CHECK_FALSE(bench.line.take(kB));
  bench.line.give_back();
  CHECK(bench.woken == std::vector{kB});
  CHECK(bench.line.take(kB));
  CHECK(bench.line.waiting() == 0);
}

TEST_CASE("first come, first served; asking again does not change one's turn", "[places]") {
  Bench bench(1);
  REQUIRE(bench.line.take(kA));
  CHECK_FALSE(bench.line.take(kB));
  CHECK_FALSE(bench.line.take(kC));
  CHECK_FALSE(bench.line.take(kB));
  CHECK(bench.line.waiting() == 2);
  bench.line.give_back();
  CHECK(bench.woken == std::vector{kB});
  CHECK_FALSE(bench.line.take(kC));  // it is free, but kept
  CHECK_FALSE(bench.line.take(kA));
  CHECK(bench.line.take(kB));
  bench.line.give_back();
  CHECK(bench.woken == std::vector{kB, kC});
}

TEST_CASE("who is woken and does not want the place any more leaves it to the next", "[places]") {
  Bench bench(1);
  REQUIRE(bench.line.take(kA));
  for (const auto& job : {kB, kC, kD}) CHECK_FALSE(bench.line.take(job));
  bench.line.leave(kC);  // not its turn: nobody is woken
  CHECK(bench.woken.empty());
  bench.line.give_back();
  bench.line.leave(kB);
  CHECK(bench.woken == std::vector{kB, kD});
  CHECK(bench.line.take(kD));
  bench.line.leave(kD);  // does not stand in it
  CHECK(bench.woken.size() == 2);
}

TEST_CASE("two free places wake two", "[places]") {
  Bench bench(2);
  REQUIRE(bench.line.take(kA));
  REQUIRE(bench.line.take(kA));
  for (const auto& job : {kB, kC, kD}) CHECK_FALSE(bench.line.take(job));
  bench.line.give_back();
  bench.line.give_back();
  CHECK(bench.woken == std::vector{kB, kC});
  CHECK(bench.line.take(kC));  // both may, in any order
  CHECK_FALSE(bench.line.take(kD));
  CHECK(bench.line.take(kB));
  CHECK(bench.woken.size() == 2);
}

}  // namespace sallyport::runner
