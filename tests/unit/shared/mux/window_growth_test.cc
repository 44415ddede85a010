#include "shared/mux/window_growth.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::mux;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kStart = 256u << 10;
constexpr std::uint32_t kMost = 16u << 20;

// A line that carries `rate` bytes a second with a round trip of `trip`, and a sender that always has something to
// send: what the reader has taken after `trips` round trips, and the window it has then.
struct Line {
  double rate;
  std::chrono::milliseconds trip;
  std::uint32_t window = kStart;
  std::uint64_t consumed = 0;
  SteadyTime now{};

  void run(WindowGrowth& growth, int trips) {
    const double seconds = std::chrono::duration<double>(trip).count();
    for (int i = 0; i < trips; ++i) {
      now += trip;
      const auto carried = static_cast<std::uint64_t>(std::min<double>(window, rate * seconds));
      for (std::uint64_t taken = 0; taken < carried;) {
        const auto piece = std::min<std::uint64_t>(carried - taken, window / 2);
        taken += piece;
        consumed += piece;
        window = std::min(growth.wanted({7, window, consumed}, now), kMost);
      }
    }
  }
};

}  // namespace

TEST_CASE("a window grows to twice what the line carries in a round trip, in a few of them", "[mux]") {
  const auto [rate, trip] = GENERATE(std::pair(100e6, 100ms), std::pair(10e6, 200ms), std::pair(1e9, 4ms));
  WindowGrowth growth;
  growth.measured(trip);
  Line line{rate, trip};
  line.run(growth, 14);
  const double product = rate * std::chrono::duration<double>(trip).count();
  CHECK(line.window >= std::min<double>(kMost, 1.9 * product));
  CHECK(line.window <= std::max<double>(kStart, 2.7 * product));  // it is asked once per half a window
}

TEST_CASE("a window stays while something else than it sets the pace", "[mux]") {
  WindowGrowth growth;
  growth.measured(100ms);
  Line slow{1e6, 100ms};  // 100 KB in a round trip
  slow.run(growth, 100);
  CHECK(slow.window == kStart);
}

TEST_CASE("a burst within one round trip is no reason to grow", "[mux]") {
  WindowGrowth growth;
  growth.measured(100ms);
  std::uint64_t consumed = 0;
  for (int burst = 0; burst < 10; ++burst) {
    const SteadyTime now = SteadyTime{} + burst * 5s;
    for (int i = 0; i < 4; ++i) CHECK(growth.wanted({1, kStart, consumed += kStart / 2}, now) == kStart);
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
