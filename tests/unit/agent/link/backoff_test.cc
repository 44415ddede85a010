#include "agent/link/backoff.h"

#include "agent/link/renewer.h"

#include <catch2/catch.hpp>

#include <random>

using namespace sallyport;
using namespace sallyport::agent;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST_CASE("back-off doubles up to its cap", "[link]") {
  Backoff backoff({500ms, 60s, 30s}, [] { return 0.999999; });
  std::vector<long> waits;
  for (int i = 0; i < 10; ++i) waits.push_back(backoff.next().count());
  CHECK(waits == std::vector<long>{499, 999, 1999, 3999, 7999, 15999, 31999, 59999, 59999, 59999});
  for (int i = 0; i < 1000; ++i) CHECK(backoff.next() <= 60s);
}

TEST_CASE("jitter is full: agents spread over the whole interval", "[link]") {
  std::mt19937_64 chance(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  int buckets[10] = {};
  for (int i = 0; i < 10'000; ++i) {
    Backoff backoff({1000ms, 60s, 30s}, [&] { return uniform(chance); });
    ++buckets[backoff.next().count() / 100];
  }
  for (const int bucket : buckets) CHECK(bucket > 800);
}

TEST_CASE("a relay's retry_after is a floor, and jitter comes on top", "[link]") {
  Backoff low({500ms, 60s, 30s}, [] { return 0.0; });
  CHECK(low.next(5s) == 5s);
  Backoff high({500ms, 60s, 30s}, [] { return 0.5; });
  CHECK(high.next(5s) == 5250ms);
}

TEST_CASE("only a link that was healthy for a while wipes out failures", "[link]") {
  Backoff backoff({500ms, 60s, 30s}, [] { return 0.5; });
  for (int i = 0; i < 4; ++i) backoff.next();
  backoff.link_was_ready_for(29s);
  CHECK(backoff.failures() == 4);
  backoff.link_was_ready_for(30s);
  CHECK(backoff.failures() == 0);
  CHECK(backoff.next() == 250ms);
}

TEST_CASE("a certificate is renewed at two thirds of its life, give or take a thirtieth", "[link]") {
  const auto begin = from_unix_ms(1'000'000'000);
  const auto end = begin + std::chrono::hours(30 * 24);
  CHECK(renewal_time(begin, end, 0.5) == begin + std::chrono::hours(20 * 24));
  CHECK(renewal_time(begin, end, 0.0) == begin + std::chrono::hours(19 * 24));
  CHECK(renewal_time(begin, end, 1.0) == begin + std::chrono::hours(21 * 24));
}
