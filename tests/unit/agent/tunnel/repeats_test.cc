#include "agent/tunnel/repeats.h"

#include <catch2/catch.hpp>

#include <string>

using sallyport::tunnel::Repeats;
using Rest = std::vector<std::pair<std::string, std::uint64_t>>;

TEST_CASE("of equal things the first is told and the others are counted", "[tunnel]") {
  Repeats repeats;
  CHECK(repeats.take().empty());
  CHECK(repeats.is_new("db:1"));
  CHECK(repeats.is_new("db:2"));
  CHECK(repeats.take().empty());
  CHECK(repeats.is_new("db:1"));
  for (int i = 0; i < 1'000; ++i) CHECK_FALSE(repeats.is_new("db:1"));
  CHECK(repeats.is_new("db:2"));
  CHECK(repeats.take() == Rest{{"db:1", 1'000}});
  CHECK(repeats.is_new("db:1"));
}

TEST_CASE("however many different things come, few are told and all are counted", "[tunnel][bounds]") {
  Repeats repeats;
  std::uint64_t told = 0;
  for (int i = 0; i < 10'000; ++i) told += repeats.is_new(std::to_string(i)) ? 1 : 0;
  CHECK(told == 65);
  CHECK_FALSE(repeats.is_new("0"));
  CHECK(repeats.take() == Rest{{"0", 1}, {std::string(Repeats::kOthers), 10'000 - told}});
}
