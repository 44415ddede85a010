#include "shared/tunnel/pacer.h"

#include <catch2/catch.hpp>

#include <random>

using namespace sallyport;
using namespace std::chrono_literals;
using tunnel::Pacer;

TEST_CASE("without a rate nothing waits", "[tunnel]") {
  Pacer pacer(0);
  CHECK_FALSE(pacer.limits());
  CHECK(pacer.chunk(32'768) == 32'768);
  const SteadyTime now{5s};
  for (int i = 0; i < 1'000; ++i) CHECK(pacer.spend(32'768, now) <= now);
}

TEST_CASE("a low rate moves little at a time", "[tunnel]") {
  CHECK(Pacer(1).chunk(32'768) == 1);
  CHECK(Pacer(1'000).chunk(32'768) == 50);
  CHECK(Pacer(1'000'000).chunk(32'768) == 32'768);
  CHECK(Pacer(~std::uint64_t{0}).chunk(32'768) == 32'768);
}

TEST_CASE("over any span no more passes than the rate and a tenth of a second", "[tunnel]") {
  const auto rate = GENERATE(std::uint64_t{1}, 999, 64'000, 3'000'000, 5'000'000'000);
  INFO(rate << " bytes per second");
  std::mt19937_64 chance(rate);
  Pacer pacer(rate);
  SteadyTime now{100s};
  const auto begun = now;
  long double bytes = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto count = 1 + chance() % pacer.chunk(32'768);
    bytes += count;
    const long double allowed = std::chrono::duration<long double>(now - begun).count() * rate;
    REQUIRE(bytes <= allowed + 0.1L * rate + 2.0L * pacer.chunk(32'768));
    now = std::max(now, pacer.spend(count, now));
  }
  // And not much less: the pauses were its own.
  const auto took = std::chrono::duration<long double>(now - begun).count() + 0.1L;
  if (now > begun) CHECK(bytes >= took * rate * 0.99L - pacer.chunk(32'768));
}

TEST_CASE("who has been silent saves up a tenth of a second and no more", "[tunnel]") {
  Pacer pacer(10'000);
  SteadyTime now{100s};
  CHECK(pacer.spend(500, now) <= now);
  CHECK(pacer.spend(500, now) <= now);
  CHECK(pacer.spend(500, now) == now + 50ms);
  now += 1h;
  CHECK(pacer.spend(1'000, now) <= now);
  CHECK(pacer.spend(500, now) == now + 50ms);
}
