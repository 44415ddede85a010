#include "agent/runner/sent_holdings.h"

#include <catch2/catch.hpp>

namespace sallyport::runner {
using namespace std::chrono_literals;

TEST_CASE("a lease counts from the sending of the Holding that it rests on", "[lease]") {
  SentHoldings holdings;
  CHECK(holdings.add(BootTime(100s)) == 1);
  CHECK(holdings.add(BootTime(107s)) == 2);
  CHECK(holdings.add(BootTime(107s)) == 3);
  CHECK(holdings.lease_end(1, 60s).value() == BootTime(160s));
  CHECK(holdings.lease_end(2, 60s).value() == BootTime(167s));
  CHECK(holdings.lease_end(3, 1ms).value() == BootTime(107s + 1ms));
  CHECK(holdings.lease_end(1, 0ms).value() == BootTime(100s));
}

TEST_CASE("a lease that rests on no Holding has ended", "[lease]") {
  SentHoldings holdings;
  CHECK(holdings.lease_end(0, 24h).value() == BootTime::min());
  holdings.add(BootTime(1s));
  CHECK(holdings.lease_end(0, 24h).value() == BootTime::min());
}

TEST_CASE("a Holding that was never sent cannot be answered", "[lease][bad-input]") {
  SentHoldings holdings;
  CHECK(holdings.lease_end(1, 60s).error().code == Errc::invalid);
  holdings.add(BootTime(1s));
  CHECK(holdings.lease_end(2, 60s).error().code == Errc::invalid);
  CHECK(holdings.lease_end(~std::uint64_t{0}, 60s).error().code == Errc::invalid);
}

TEST_CASE("of very old Holdings nothing is known, and so nothing proven", "[lease][bounds]") {
  SentHoldings holdings;
  for (int second = 1; second <= 1'000; ++second) holdings.add(BootTime(std::chrono::seconds(second)));
  CHECK(holdings.lease_end(1'000, 60s).value() == BootTime(1'060s));
  CHECK(holdings.lease_end(937, 60s).value() == BootTime(997s));
  CHECK(holdings.lease_end(936, 60s).value() == BootTime::min());
  CHECK(holdings.lease_end(1, 60s).value() == BootTime::min());
}

}  // namespace sallyport::runner
