#include "relay/tunnels/refusals.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::tunnels;
using namespace std::chrono_literals;

namespace {
const SteadyTime kBegin{1h};
std::string address(int n) { return "192.0.2." + std::to_string(n); }
}  // namespace

TEST_CASE("of each address one refusal a minute is told by itself, the rest together", "[tunnels]") {
  Refusals refusals;
  CHECK(refusals.is_told("192.0.2.1", kBegin));
  CHECK_FALSE(refusals.is_told("192.0.2.1", kBegin + 1s));
  CHECK(refusals.is_told("192.0.2.2", kBegin + 2s));
  CHECK_FALSE(refusals.is_told("192.0.2.1", kBegin + 3s));
  CHECK(refusals.pending());
  CHECK_FALSE(refusals.due(kBegin + 59s));
  const auto rest = refusals.due(kBegin + 60s);
  REQUIRE(rest);
  CHECK(rest->count == 2);
  CHECK(rest->source == "192.0.2.1");
  CHECK_FALSE(refusals.pending());
  CHECK_FALSE(refusals.due(kBegin + 2h));
  CHECK(refusals.is_told("192.0.2.1", kBegin + 2h));  // a new minute
}

TEST_CASE("a scan from many addresses costs nine records a minute, and none is unaccounted for", "[tunnels]") {
  Refusals refusals;
  std::uint64_t records = 0, accounted = 0;
  const auto take = [&](const std::optional<Refusals::Rest>& rest) {
    if (!rest) return;
    ++records;
    accounted += rest->count;
  };
  for (int i = 0; i < 180'000; ++i) {  // three minutes, a thousand a second
    const auto now = kBegin + i * 1ms;
    take(refusals.due(now));
    if (!refusals.is_told(address(i % 250), now)) continue;
    ++records;
    ++accounted;
  }
  take(refusals.take());
  CHECK(accounted == 180'000);
  CHECK(records == 3 * (Refusals::kSources + 1));
}

TEST_CASE("a minute without more than was told has no rest", "[tunnels]") {
  Refusals refusals;
  CHECK(refusals.is_told("192.0.2.1", kBegin));
  CHECK_FALSE(refusals.pending());
  CHECK_FALSE(refusals.due(kBegin + 61s));
  CHECK(refusals.is_told("192.0.2.1", kBegin + 62s));
  CHECK_FALSE(refusals.take());
}
