#include "relay/app/believed_clock.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;

namespace {

struct Lines final : LogSink {
  void write(std::string_view line) override { text.append(line).append("\n"); }
  std::string text;
};

}  // namespace

TEST_CASE("what was believed last survives a restart, and what is no such file is not believed", "[clock]") {
  const domain::SavedClock clock{from_unix_ms(1'764'000'000'123), std::chrono::milliseconds(77), "boot-id"};
  CHECK(parse_saved_clock(format_saved_clock(clock)) == clock);
  for (const auto* text : {"", "\n", "sallyport-clock-1 1 2 b", "sallyport-clock-2 1 2 b\n", "sallyport-clock-1 1 b\n",
                           "sallyport-clock-1 x 2 b\n", "sallyport-clock-1 1 2 b c\n"}) {
    INFO(text);
    CHECK_FALSE(parse_saved_clock(text));
  }
}

TEST_CASE("a clock that an operator confirmed is believed, in this boot and after a restart", "[clock]") {
  const TempDir folder;
  const SystemClock system;
  Lines lines;
  const Log log(lines, system);
  REQUIRE(BelievedClock::confirm(folder / "clock"));
  for (int start = 0; start < 2; ++start) {
    BelievedClock clock(folder / "clock", log);
    const auto now = clock.now();
    REQUIRE(now);
    CHECK(*now <= system.wall() + std::chrono::seconds(1));
    CHECK(*now > system.wall() - std::chrono::minutes(1));
  }
  CHECK(lines.text.find("clock.agreed") != std::string::npos);
}
