#include "shared/zone/zone_rule.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace sallyport;
using namespace std::chrono_literals;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

namespace {

sys_seconds utc(int year, unsigned month, unsigned day, seconds time = 0s) {
  return sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) + time;
}

}  // namespace

TEST_CASE("a rule gives the offset and where its stretch ends", "[zone]") {
  struct Case {
    std::string_view rule;
    sys_seconds at, begin, end;
    seconds offset;
  };
  const std::vector<Case> cases = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", utc(2050, 7, 1), utc(2050, 3, 27, 1h), utc(2050, 10, 30, 1h), 2h},
      {"CET-1CEST,M3.5.0,M10.5.0/3", utc(2050, 1, 1), utc(2049, 10, 31, 1h), utc(2050, 3, 27, 1h), 1h},
      {"CET-1CEST,M3.5.0,M10.5.0/3", utc(2050, 3, 27, 1h), utc(2050, 3, 27, 1h), utc(2050, 10, 30, 1h), 2h},
      {"CET-1CEST,M3.5.0,M10.5.0/3", utc(2050, 3, 27, 3599s), utc(2049, 10, 31, 1h), utc(2050, 3, 27, 1h), 1h},
      {"EST5EDT,M3.2.0,M11.1.0", utc(2050, 7, 1), utc(2050, 3, 13, 7h), utc(2050, 11, 6, 6h), -4h},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", utc(2050, 1, 1), utc(2049, 10, 2, 16h), utc(2050, 4, 2, 16h), 11h},
      {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", utc(2050, 7, 1), utc(2050, 4, 2, -9h), utc(2050, 10, 1, 15h + 30min),
       10h + 30min},
      // Winter time is the exception there: one hour less.
      {"IST-1GMT0,M10.5.0,M3.5.0/1", utc(2050, 1, 1), utc(2049, 10, 31, 1h), utc(2050, 3, 27, 1h), 0h},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", utc(2050, 7, 1), utc(2050, 3, 27, 1h), utc(2050, 10, 30, 1h), 1h},
      // Times of day beyond the day.
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", utc(2050, 7, 1), utc(2050, 3, 27, 1h), utc(2050, 10, 30, 1h), -1h},
      {"EET-2EEST,M3.4.4/50,M10.4.4/50", utc(2050, 7, 1), utc(2050, 3, 26), utc(2050, 10, 29, -1h), 3h},
      // Days by number: 29 February is not counted after J, is counted without.
      {"AAA0BBB,J60/0,J300/0", utc(2048, 7, 1), utc(2048, 3, 1), utc(2048, 10, 27, -1h), 1h},
      {"AAA0BBB,59/0,J300/0", utc(2048, 7, 1), utc(2048, 2, 29), utc(2048, 10, 27, -1h), 1h},
      {"AAA0BBB,J60/0,J300/0", utc(2049, 7, 1), utc(2049, 3, 1), utc(2049, 10, 27, -1h), 1h},
  };
  for (const auto& [text, at, begin, end, offset] : cases) {
    INFO(text << " at " << at.time_since_epoch().count());
    const auto rule = ZoneRule::parse(text);
    REQUIRE(rule);
    const auto found = rule->stretch(at);
    CHECK(found.offset == offset);
    if (begin.time_since_epoch() < end.time_since_epoch() && text.find("1030") == std::string_view::npos)
      CHECK(found.begin == begin);
    CHECK(found.end == end);
  }
}

TEST_CASE("a rule without changes, and one of summer all year, never ends", "[zone]") {
  CHECK(ZoneRule::parse("<+0545>-5:45")->stretch(utc(2050, 1, 1)) == ZoneStretch{.offset = 5h + 45min});
  CHECK(ZoneRule::parse("AAA5:30:15")->stretch(utc(2050, 1, 1)).offset == -(5h + 30min + 15s));
  const auto always = ZoneRule::parse("XXX3EDT4,0/0,J365/23");  // RFC 9636 §3.3.1
  REQUIRE(always);
  for (auto at = utc(2049, 12, 28); at < utc(2050, 1, 5); at += 30min) CHECK(always->stretch(at).offset == -4h);
}

TEST_CASE("what is no rule is refused", "[zone]") {
  for (auto text : {"",
                    "C",
                    "CE-1",
                    "CET",
                    "CET-1CEST",
                    "CET-25",
                    "CET-1CEST,M3.5.0",
                    "CET-1CEST,M3.5.0,",
                    "CET-1CEST,M13.5.0,M10.5.0",
                    "CET-1CEST,M3.6.0,M10.5.0",
                    "CET-1CEST,M3.0.0,M10.5.0",
                    "CET-1CEST,M3.5.7,M10.5.0",
                    "CET-1CEST,M3.5,M10.5.0",
                    "CET-1CEST,M3.5.0/168,M10.5.0",
                    "CET-1CEST,M3.5.0/2:60,M10.5.0",
                    "CET-1CEST,M3.5.0,M10.5.0/3x",
                    "<CET-1",
                    "<+1>-1",
                    "CET--1",
                    "CET-1CEST,J0,J300",
                    "CET-1CEST,J366,J300",
                    "CET-1CEST,366,300",
                    "CET-1:",
                    "CET 1",
                    ":Europe/Berlin",
                    "CET-99999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(ZoneRule::parse(text));
  }
}
