#include "agent/link/backoff.h"

#include "agent/link/dialer.h"
#include "agent/link/renewer.h"
#include "agent/link/supervisor.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace sallyport;
using namespace sallyport::agent;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr BackoffTimes kTimes{500ms, 60s, 30s, 2s};

std::vector<long> first_waits(Setback setback) {
  Backoff backoff(kTimes, [] { return 0.999999; });
  std::vector<long> waits(9);
  for (auto& wait : waits) wait = backoff.next(setback).count();
  return waits;
}

}  // namespace

TEST_CASE("back-off doubles up to the cap of what went wrong", "[link]") {
  CHECK(first_waits(Setback::refused) == std::vector<long>{499, 999, 1999, 3999, 7999, 15999, 31999, 59999, 59999});
  CHECK(first_waits(Setback::away) == std::vector<long>{499, 999, 1999, 1999, 1999, 1999, 1999, 1999, 1999});
  for (const auto setback : {Setback::refused, Setback::away}) {
    Backoff backoff(kTimes, [] { return 0.999999; });
    for (int i = 0; i < 1000; ++i) CHECK(backoff.next(setback) <= (setback == Setback::away ? 2s : 60s));
  }
}

TEST_CASE("an outage does not lengthen the first wait after a refusal", "[link]") {
  Backoff backoff(kTimes, [] { return 0.999999; });
  for (int i = 0; i < 100; ++i) backoff.next(Setback::away);
  CHECK(backoff.next(Setback::refused) == 499ms);
  CHECK(backoff.failures() == 101);
}

TEST_CASE("jitter is full: agents spread over the whole interval", "[link]") {
  std::mt19937_64 chance(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const auto setback : {Setback::refused, Setback::away}) {
    int buckets[10] = {};
    for (int i = 0; i < 10'000; ++i) {
      Backoff backoff({1000ms, 60s, 30s, 2s}, [&] { return uniform(chance); });
      ++buckets[backoff.next(setback).count() / 100];
    }
    for (const int bucket : buckets) CHECK(bucket > 800);
  }
}

TEST_CASE("a relay's retry_after is a floor, and jitter comes on top", "[link]") {
  Backoff low(kTimes, [] { return 0.0; });
  CHECK(low.next(Setback::refused, 5s) == 5s);
  Backoff high(kTimes, [] { return 0.5; });
  CHECK(high.next(Setback::refused, 5s) == 5250ms);
}

TEST_CASE("looking in every hour is spread over an hour", "[link]") {
  CHECK(Backoff(kTimes, [] { return 0.0; }).around(1h) == 30min);
  CHECK(Backoff(kTimes, [] { return 0.5; }).around(1h) == 60min);
  CHECK(Backoff(kTimes, [] { return 1.0; }).around(1h) == 90min);
}

TEST_CASE("only a link that was healthy for a while wipes out failures", "[link]") {
  Backoff backoff(kTimes, [] { return 0.5; });
  for (int i = 0; i < 4; ++i) backoff.next(Setback::refused);
  for (int i = 0; i < 4; ++i) backoff.next(Setback::away);
  backoff.link_was_ready_for(29s);
  CHECK(backoff.failures() == 8);
  backoff.link_was_ready_for(30s);
  CHECK(backoff.failures() == 0);
  CHECK(backoff.next(Setback::refused) == 250ms);
  CHECK(backoff.next(Setback::away) == 250ms);
}

namespace {

// How long an agent is away after the relay can be reached again, on a clock of its own. While it cannot be reached,
// the network answers "refused", or nothing at all.
struct Outage {
  milliseconds length;
  bool swallows;
  BackoffTimes times;
  unsigned dials = kMostDials;
};

constexpr milliseconds kHandshakes{200};  // TCP, TLS, Hello and the first Ping
// When the kernel sends the SYN of one connection (RFC 6298: one second, doubled).
constexpr milliseconds kSyns[] = {0s, 1s, 3s, 7s, 15s};

// When the first SYN of a dial that begins at `start` meets a network that is there since `back`.
std::optional<milliseconds> answered(milliseconds start, milliseconds back, unsigned dials) {
  const auto deadline = start + SupervisorOptions{}.connect;
  std::optional<milliseconds> first;
  for (unsigned dial = 0; dial < dials; ++dial) {
    for (const auto syn : kSyns) {
      const milliseconds at = start + dial * milliseconds(kAnotherDial) + syn;
      if (at >= back && at < deadline && (!first || at < *first)) first = at;
    }
  }
  return first;
}

milliseconds away_after(const Outage& outage, unsigned seed) {
  std::mt19937_64 chance(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Backoff backoff(outage.times, [&] { return uniform(chance); });
  milliseconds now{0};
  for (;;) {
    now += backoff.next(Setback::away);
    if (!outage.swallows && now >= outage.length) return now + kHandshakes - outage.length;
    if (!outage.swallows) continue;
    if (const auto at = answered(now, outage.length, outage.dials)) return *at + kHandshakes - outage.length;
    now += SupervisorOptions{}.connect;
  }
}

milliseconds slowest_of_95_in_100(const Outage& outage) {
  std::vector<milliseconds> all;
  all.reserve(500);
  for (unsigned seed = 1; seed <= 500; ++seed) all.push_back(away_after(outage, seed));
  std::ranges::sort(all);
  return all[all.size() * 95 / 100];
}

}  // namespace

TEST_CASE("after an outage of any length 95 of 100 agents are back within three seconds", "[link]") {
  const auto swallows = GENERATE(false, true);
  for (const milliseconds length : {milliseconds(2s), milliseconds(30s), milliseconds(2min), milliseconds(10min)}) {
    const auto late = slowest_of_95_in_100({length, swallows, BackoffTimes{}});
    CAPTURE(swallows, length.count(), late.count());
    CHECK(late < 3s);
  }
}

TEST_CASE("positive control: one long back-off for all, or one dial at a time, and they are not", "[link]") {
  BackoffTimes patient;
  patient.away_cap = patient.cap;
  CHECK(slowest_of_95_in_100({2min, false, patient}) > 3s);
  CHECK(slowest_of_95_in_100({2min, true, BackoffTimes{}, 1}) > 3s);
}

TEST_CASE("a certificate is renewed at two thirds of its life, give or take a thirtieth", "[link]") {
  const auto begin = from_unix_ms(1'000'000'000);
  const auto end = begin + std::chrono::hours(30 * 24);
  CHECK(renewal_time(begin, end, 0.5) == begin + std::chrono::hours(20 * 24));
  CHECK(renewal_time(begin, end, 0.0) == begin + std::chrono::hours(19 * 24));
  CHECK(renewal_time(begin, end, 1.0) == begin + std::chrono::hours(21 * 24));
}
