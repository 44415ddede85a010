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

struct Rig {
  std::filesystem::path file() const { return folder / "clock"; }
  BelievedClock started() {
    return {file(), {log, metrics, [this] { return agents(); }}};
  }
  std::optional<domain::AgentsTime> agents() const {
    if (!agents_ahead) return std::nullopt;
    return domain::AgentsTime{system.wall() + *agents_ahead, system.wall() + *agents_ahead};
  }
  bool measured(std::string_view line) const { return metrics.prometheus().find(line) != std::string::npos; }

  TempDir folder;
  SystemClock system;
  Lines lines;
  Log log{lines, system};
  Metrics metrics;
  std::optional<std::chrono::seconds> agents_ahead;
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
  Rig rig;
  REQUIRE(BelievedClock::confirm(rig.file()));
  for (int start = 0; start < 2; ++start) {
    auto clock = rig.started();
    const auto now = clock.now();
    REQUIRE(now);
    CHECK(now <= rig.system.wall() + std::chrono::seconds(1));
    CHECK(now > rig.system.wall() - std::chrono::minutes(1));
  }
  CHECK(rig.lines.text.find("clock.agreed") != std::string::npos);
}

TEST_CASE("nothing is believed until agents say so, whatever the kernel says of its clock", "[clock]") {
  Rig rig;
  auto clock = rig.started();
  CHECK_FALSE(clock.now());
  CHECK(rig.measured("sallyport_clock_believed 0"));
  CHECK(rig.measured("sallyport_clock_agents_heard 0"));
  rig.agents_ahead = std::chrono::hours(-2);
  CHECK_FALSE(clock.now());
  CHECK(rig.measured("sallyport_clock_agents_heard 1"));
  CHECK(rig.measured("sallyport_clock_agents_ahead_seconds -7"));
  rig.agents_ahead = std::chrono::seconds(-20);
  const auto now = clock.now();
  REQUIRE(now);
  CHECK(now <= rig.system.wall() - std::chrono::seconds(19));
  CHECK(rig.measured("sallyport_clock_believed 1"));
  CHECK(rig.measured("sallyport_clock_late_seconds "));
}
