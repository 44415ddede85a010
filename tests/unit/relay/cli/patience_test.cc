#include "relay/cli/patience.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::cli;
using namespace std::chrono_literals;

namespace {
const SteadyTime kStart{};
}

TEST_CASE("waits grow to their limit and are drawn from their upper half", "[cli][patience]") {
  Patience shortest({}, kStart), longest({}, kStart);
  const auto expected = {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 10'000ms, 10'000ms};
  for (const auto most : expected) {
    CHECK(shortest.next_wait(kStart, 0.0) == most / 2);
    const auto wait = longest.next_wait(kStart, 0.999).value_or(0ms);
    CHECK(wait <= most);
    CHECK(wait > most * 9 / 10);
  }
}

TEST_CASE("any byte makes patience new", "[cli][patience]") {
  Patience patience({}, kStart);
  for (int i = 0; i < 30; ++i) CHECK(patience.next_wait(kStart, 0.5));
  patience.heard(kStart + 299s);
  CHECK(patience.next_wait(kStart + 299s, 0.0) == 250ms);
  CHECK(patience.next_wait(kStart + 598s, 0.0).has_value());
}

TEST_CASE("patience ends, and no wait goes beyond its end", "[cli][patience]") {
  Patience patience({}, kStart);
  for (int i = 0; i < 30; ++i) CHECK(patience.next_wait(kStart + 10s, 0.5));
  CHECK(patience.next_wait(kStart + 299'900ms, 0.9) == 100ms);
  CHECK_FALSE(patience.next_wait(kStart + 300s, 0.9));
}
