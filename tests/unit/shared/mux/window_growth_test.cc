#include "shared/mux/window_growth.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace sallyport;
using namespace sallyport::mux;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kStart = 256u << 10;
constexpr std::uint32_t kMost = 16u << 20;

// A line that carries `rate` bytes a second with a round trip of `trip`, a sender that always has something to send,
// and a receiver that grants credit when half its window is used up: from then on it takes a round trip until the bytes
// for it are there.
struct Line {
  double rate;
  std::chrono::milliseconds trip;
  std::uint32_t window = kStart;
  std::uint64_t consumed = 0;
  std::uint64_t granted = kStart;  // of all that was ever to be sent
  SteadyTime now{};

  void run(WindowGrowth& growth, int trips) {
    constexpr int kSlices = 50;  // of a round trip
    std::vector<std::uint64_t> may_come(kSlices, granted);
    const double slice = std::chrono::duration<double>(trip).count() / kSlices;
    for (int i = 0; i < trips * kSlices; ++i) {
      now += std::chrono::nanoseconds(trip) / kSlices;
      auto& due = may_come[static_cast<std::size_t>(i % kSlices)];
      consumed += static_cast<std::uint64_t>(std::min<double>(static_cast<double>(due - consumed), rate * slice));
      if (granted - consumed <= window / 2) {
        window = std::min(growth.wanted({7, window, consumed, kStart}, now), kMost);
        granted = consumed + window;
      }
      due = granted;
    }
  }
};

}  // namespace

TEST_CASE("a window grows until the line is what limits it, in a few round trips", "[mux]") {
  const auto [rate, trip] = GENERATE(std::pair(100e6, 100ms), std::pair(10e6, 200ms), std::pair(1e9, 4ms));
  WindowGrowth growth;
  growth.measured(trip);
  Line line{rate, trip};
  line.run(growth, 15);
  const auto before = line.consumed;
  line.run(growth, 10);
  const double product = rate * std::chrono::duration<double>(trip).count();
  CHECK(static_cast<double>(line.consumed - before) >= 10 * 0.9 * std::min<double>(product, kMost / 2));
  CHECK(line.window <= std::max<double>(kStart, 4 * product));
}

TEST_CASE("a window stays while something else than it sets the pace", "[mux]") {
  WindowGrowth growth;
  growth.measured(100ms);
  Line slow{800e3, 100ms};  // 80 KB in a round trip
  slow.run(growth, 100);
  CHECK(slow.window == kStart);
}

TEST_CASE("a burst within one round trip is no reason to grow", "[mux]") {
  WindowGrowth growth;
  growth.measured(100ms);
  std::uint64_t consumed = 0;
  for (int burst = 0; burst < 10; ++burst) {
    const SteadyTime now = SteadyTime{} + burst * 5s;
    for (int i = 0; i < 4; ++i) CHECK(growth.wanted({1, kStart, consumed += kStart / 2, kStart}, now) == kStart);
  }
}

TEST_CASE("without a round trip nothing grows; the least of the last eight counts", "[mux]") {
  WindowGrowth growth;
  Line line{100e6, 100ms};
  line.run(growth, 10);
  CHECK(line.window == kStart);
  CHECK_FALSE(growth.round_trip());
  growth.measured(3ms);
  for (int i = 0; i < 7; ++i) growth.measured(90ms);
  CHECK(growth.round_trip() == 3ms);
  growth.measured(80ms);
  CHECK(growth.round_trip() == 80ms);
  growth.measured(0ms);
  CHECK(growth.round_trip() == 1ns);
}

TEST_CASE("a channel that ended is forgotten, and its number's next user begins anew", "[mux]") {
  WindowGrowth growth;
  growth.measured(1ms);
  CHECK(growth.wanted({1, kStart, kStart}, SteadyTime{}) == kStart);
  growth.forget(1);
  CHECK(growth.wanted({1, kStart, kStart}, SteadyTime{} + 1s) == kStart);
  CHECK(growth.wanted({1, kStart, 1'000 * std::uint64_t{kStart}}, SteadyTime{} + 1s + 1ms) == 2 * kStart);
}

TEST_CASE("a channel that uses a fraction of its window gives it back", "[mux]") {
  WindowGrowth growth;
  growth.measured(100ms);
  Line line{100e6, 100ms};
  line.run(growth, 20);
  CHECK(line.window > 8u << 20);
  line.rate = 800e3;
  line.run(growth, 2'000);
  CHECK(line.window <= 2 * kStart);  // a quarter of more would do
  line.rate = 100e6;
  line.run(growth, 20);
  CHECK(line.window > 8u << 20);
}
