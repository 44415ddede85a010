#include "shared/async/call_buckets.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {
const SteadyTime kStart{std::chrono::hours(1)};
}

TEST_CASE("a bucket lets a burst through and then its rate", "[limits]") {
  CallBuckets buckets({.per_second = 2, .burst = 3, .callers = 10});
  for (int left = 2; left >= 0; --left) {
    const auto verdict = buckets.take("a", kStart);
    CHECK(verdict.admit == Admit::yes);
    CHECK(verdict.remaining == left);
  }
  CHECK(buckets.take("a", kStart).admit == Admit::no);
  CHECK(buckets.take("a", kStart).reset == 1s);
  CHECK(buckets.take("a", kStart + 499ms).admit == Admit::no);
  CHECK(buckets.take("a", kStart + 500ms).admit == Admit::yes);
  CHECK(buckets.take("a", kStart + 501ms).admit == Admit::no);
  CHECK(buckets.take("a", kStart + 1h).remaining == 2);  // never more than the burst
}

TEST_CASE("callers do not share a bucket", "[limits]") {
  CallBuckets buckets({.per_second = 1, .burst = 1, .callers = 10});
  CHECK(buckets.take("a", kStart).admit == Admit::yes);
  CHECK(buckets.take("b", kStart).admit == Admit::yes);
  CHECK(buckets.take("a", kStart).admit == Admit::no);
}
