#include "shared/recipe/cron.h"

#include "shared/base/text.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace sallyport;
using recipe::Cron;

namespace {

WallTime at(std::string_view text) { return parse_rfc3339(text).value(); }

std::vector<std::string> run(std::string_view cron, std::string_view zone, std::string_view start, std::size_t times) {
  const auto schedule = Cron::parse(cron, zone);
  INFO(cron);
  if (!schedule) FAIL(schedule.error().message);
  std::vector<std::string> out;
  auto now = at(start);
  for (std::size_t i = 0; i < times; ++i) {
    const auto next = schedule->next(now);
    REQUIRE(next);
    out.push_back(rfc3339(*next).substr(0, 16));
    now = *next;
  }
  return out;
}

std::string refused(std::string_view cron, std::string_view zone = "UTC") {
  const auto schedule = Cron::parse(cron, zone);
  return schedule ? "accepted" : schedule.error().message;
}

using Times = std::vector<std::string>;

}  // namespace

TEST_CASE("cron fields choose minutes", "[cron]") {
  struct Case {
    std::string_view cron, start;
    Times times;
  };
  const Case cases[] = {
      {"* * * * *", "2026-01-01T00:00:00Z", {"2026-01-01T00:01", "2026-01-01T00:02"}},
      {"* * * * *", "2026-01-01T00:00:59.999Z", {"2026-01-01T00:01"}},
      {"30 4 * * *", "2026-01-01T04:30:00Z", {"2026-01-02T04:30", "2026-01-03T04:30"}},
      {"30 4 * * *", "2026-01-01T04:29:59.999Z", {"2026-01-01T04:30"}},
      {"*/20 8-9 * * *",
       "2026-01-01T08:30:00Z",
       {"2026-01-01T08:40", "2026-01-01T09:00", "2026-01-01T09:20", "2026-01-01T09:40", "2026-01-02T08:00"}},
      {"5,10-20/5,59 0 * * *",
       "2026-01-01T00:00:00Z",
       {"2026-01-01T00:05", "2026-01-01T00:10", "2026-01-01T00:15", "2026-01-01T00:20", "2026-01-01T00:59"}},
      {"0 0 1 * *", "2026-01-31T12:00:00Z", {"2026-02-01T00:00", "2026-03-01T00:00"}},
      {"0 0 31 * *",
       "2026-01-31T00:00:00Z",
       {"2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00", "2026-08-31T00:00"}},
      {"0 0 29 2 *", "2026-01-01T00:00:00Z", {"2028-02-29T00:00", "2032-02-29T00:00"}},
      {"0 0 29 2 *", "2096-03-01T00:00:00Z", {"2104-02-29T00:00"}},
      {"0 12 * JAN-mar Mon", "2026-02-24T00:00:00Z", {"2026-03-02T12:00", "2026-03-09T12:00"}},
      {"0 12 * * 0", "2026-01-01T00:00:00Z", {"2026-01-04T12:00"}},
      {"0 12 * * 7", "2026-01-01T00:00:00Z", {"2026-01-04T12:00"}},
      {"0 12 * * 5-7",
       "2026-01-01T00:00:00Z",
       {"2026-01-02T12:00", "2026-01-03T12:00", "2026-01-04T12:00", "2026-01-09T12:00"}},
      {"0 12 13 * fri",
       "2026-01-01T00:00:00Z",
       {"2026-01-02T12:00", "2026-01-09T12:00", "2026-01-13T12:00", "2026-01-16T12:00"}},
      {"0 12 */10 * fri", "2026-01-01T00:00:00Z", {"2026-05-01T12:00", "2026-07-31T12:00"}},
      {"0 0 30 2 mon", "2026-01-30T00:00:00Z", {"2026-02-02T00:00", "2026-02-09T00:00"}},
      {"  0   0\t1 1 *  ", "2026-06-01T00:00:00Z", {"2027-01-01T00:00"}},
      {"@hourly", "2026-01-01T00:00:00Z", {"2026-01-01T01:00"}},
      {"@daily", "2026-01-01T00:00:00Z", {"2026-01-02T00:00"}},
      {"@midnight", "2026-01-01T00:00:00Z", {"2026-01-02T00:00"}},
      {"@weekly", "2026-01-01T00:00:00Z", {"2026-01-04T00:00"}},
      {"@monthly", "2026-01-01T00:00:00Z", {"2026-02-01T00:00"}},
      {"@yearly", "2026-01-01T00:00:00Z", {"2027-01-01T00:00"}},
      {"@Annually", "2026-01-01T00:00:00Z", {"2027-01-01T00:00"}},
      {"0 0 29 2 */7", "2026-01-01T00:00:00Z", {"2032-02-29T00:00", "2060-02-29T00:00"}},
  };
  for (const auto& [cron, start, times] : cases) {
    INFO(cron << " after " << start);
    CHECK(run(cron, "UTC", start, times.size()) == times);
  }
}

TEST_CASE("what cron cannot mean is refused by field", "[cron]") {
  struct Case {
    std::string_view cron, message;
  };
  const std::string_view five = "a schedule has five fields: minute, hour, day of month, month, weekday";
  const Case cases[] = {
      {"", five},
      {"* * * *", five},
      {"* * * * * *", five},
      {"60 * * * *", "minute: must be from 0 to 59"},
      {"-1 * * * *", "minute: must be from 0 to 59"},
      {"1.5 * * * *", "minute: must be from 0 to 59"},
      {"* 24 * * *", "hour: must be from 0 to 23"},
      {"* * 0 * *", "day of month: must be from 1 to 31"},
      {"* * L * *", "day of month: must be from 1 to 31"},
      {"* * ? * *", "day of month: must be from 1 to 31"},
      {"* * * 13 *", "month: must be from 1 to 12"},
      {"* * * january *", "month: must be from 1 to 12"},
      {"* * * * 8", "weekday: must be from 0 to 7"},
      {"* * * * mon#2", "weekday: must be from 0 to 7"},
      {"20-10 * * * *", "minute: the range runs backwards"},
      {"* * * * fri-mon", "weekday: the range runs backwards"},
      {"*/0 * * * *", "minute: the step must be from 1 to 59"},
      {"*/60 * * * *", "minute: the step must be from 1 to 59"},
      {"*/x * * * *", "minute: the step must be from 1 to 59"},
      {"5/15 * * * *", "minute: a step needs `*` or a range before it, such as `10-59/5`"},
      {"1,,2 * * * *", "minute: must be from 0 to 59"},
      {"1- * * * *", "minute: must be from 0 to 59"},
      {"99999999999999999999 * * * *", "minute: must be from 0 to 59"},
      {"@reboot", "unknown name: @hourly, @daily, @weekly, @monthly and @yearly are known"},
      {"0 0 30 2 *", "day of month: no such day in these months, the schedule never comes"},
      {"0 0 31 4,6,9,11 *", "day of month: no such day in these months, the schedule never comes"},
  };
  for (const auto& [cron, message] : cases) {
    INFO(cron);
    CHECK(refused(cron) == message);
  }
  CHECK(refused(std::string(10'000, '*')) == "a schedule has at most 256 characters");
  CHECK(refused("@daily", "Europe/Atlantis") == "unknown time zone: use a name such as Europe/Berlin");
  CHECK(refused("@daily", "../../etc/passwd") == "unknown time zone: use a name such as Europe/Berlin");
}

TEST_CASE("times of day are local", "[cron]") {
  CHECK(run("0 9 * * *", "Europe/Berlin", "2026-01-10T00:00:00Z", 1) == Times{"2026-01-10T08:00"});
  CHECK(run("0 9 * * *", "Europe/Berlin", "2026-07-10T00:00:00Z", 1) == Times{"2026-07-10T07:00"});
  CHECK(run("0 9 * * mon", "America/New_York", "2026-01-10T00:00:00Z", 1) == Times{"2026-01-12T14:00"});
  CHECK(run("15 0 1 * *", "Asia/Kolkata", "2026-01-10T00:00:00Z", 1) == Times{"2026-01-31T18:45"});
  CHECK(run("0 9 * * *", "Europe/Berlin", "2037-07-10T00:00:00Z", 1) == Times{"2037-07-10T07:00"});
  CHECK(run("0 9 * * *", "Europe/Berlin", "2050-07-10T00:00:00Z", 1) == Times{"2050-07-10T07:00"});
  CHECK(run("0 9 * * *", "Europe/Berlin", "2050-01-10T00:00:00Z", 1) == Times{"2050-01-10T08:00"});
  CHECK(run("0 9 * * *", "America/New_York", "2050-07-10T00:00:00Z", 1) == Times{"2050-07-10T13:00"});
  CHECK(run("0 0 * * *", "Pacific/Kiritimati", "2026-01-01T00:00:00Z", 1) == Times{"2026-01-01T10:00"});
}

// Berlin 2050: 27 March 02:00 -> 03:00, 30 October 03:00 -> 02:00, by the rule alone.
TEST_CASE("skipped and repeated times run once also where only the rule knows them", "[cron]") {
  CHECK(run("30 2 * * *", "Europe/Berlin", "2050-03-26T00:00:00Z", 3) ==
        Times{"2050-03-26T01:30", "2050-03-27T01:00", "2050-03-28T00:30"});
  CHECK(run("30 2 * * *", "Europe/Berlin", "2050-10-29T12:00:00Z", 2) == Times{"2050-10-30T00:30", "2050-10-31T01:30"});
}

// Berlin 2026: 29 March 02:00 -> 03:00 (01:00Z), 25 October 03:00 -> 02:00 (01:00Z).
TEST_CASE("a skipped time of day runs once, right after the gap", "[cron]") {
  const auto berlin = [](std::string_view cron, std::size_t n) {
    return run(cron, "Europe/Berlin", "2026-03-28T02:00:00Z", n);
  };
  CHECK(berlin("30 2 * * *", 3) == Times{"2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"});
  CHECK(berlin("0 2 * * *", 2) == Times{"2026-03-29T01:00", "2026-03-30T00:00"});
  CHECK(berlin("0 2,3 * * *", 3) == Times{"2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T01:00"});
  CHECK(berlin("*/15 2 * * *", 3) == Times{"2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T00:15"});
  CHECK(berlin("30 2 * * mon", 1) == Times{"2026-03-30T00:30"});
  CHECK(run("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", 1) == Times{"2026-03-30T00:30"});
  CHECK(run("30 2 * * *", "Europe/Berlin", "2026-03-29T00:59:59.500Z", 1) == Times{"2026-03-29T01:00"});
}

TEST_CASE("a repeated time of day runs once, the first time", "[cron]") {
  const auto berlin = [](std::string_view cron, std::size_t n) {
    return run(cron, "Europe/Berlin", "2026-10-24T12:00:00Z", n);
  };
  CHECK(berlin("30 2 * * *", 2) == Times{"2026-10-25T00:30", "2026-10-26T01:30"});
  CHECK(berlin("0 3 * * *", 2) == Times{"2026-10-25T02:00", "2026-10-26T02:00"});
  CHECK(berlin("0,30 2,3 * * *", 5) ==
        Times{"2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:00", "2026-10-25T02:30", "2026-10-26T01:00"});
  CHECK(run("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1) == Times{"2026-10-26T01:30"});
}

TEST_CASE("a schedule of every hour follows real time through both changes", "[cron]") {
  CHECK(run("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 4) ==
        Times{"2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-29T02:00"});
  CHECK(run("30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 3) ==
        Times{"2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"});
}

TEST_CASE("unusual zones: half-hour changes, midnight gaps, a day that never was", "[cron]") {
  // Lord Howe moves by 30 minutes: 2026-10-04 02:00 -> 02:30 (15:30Z the day before).
  CHECK(run("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 2) ==
        Times{"2026-10-03T15:30", "2026-10-04T15:15"});
  // Beirut moves at midnight: 2026-03-29 00:00 -> 01:00.
  CHECK(run("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", 2) == Times{"2026-03-28T22:00", "2026-03-29T21:00"});
  // Samoa skipped 30 December 2011.
  CHECK(run("0 9 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", 1) == Times{"2011-12-30T10:00"});
}

TEST_CASE("old zones whose offset has seconds are on the minute of their own clock", "[cron]") {
  const auto schedule = Cron::parse("30 9 * * *", "Europe/Berlin");  // +00:53:28 until 1893
  REQUIRE(schedule);
  const auto next = schedule->next(at("1890-01-01T00:00:00Z"));
  REQUIRE(next);
  CHECK(rfc3339(*next) == "1890-01-01T08:36:32.000Z");
  CHECK(schedule->next(*next - std::chrono::milliseconds(1)) == next);
}

TEST_CASE("next is strictly after, and never goes back", "[cron]") {
  for (auto zone : {"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"}) {
    for (auto cron : {"*/7 * * * *", "13 1-3 * * *", "0 0 1 * *", "59 23 31 12 *"}) {
      const auto schedule = Cron::parse(cron, zone);
      REQUIRE(schedule);
      auto now = at("2026-03-01T00:00:00Z");
      for (int i = 0; i < 50; ++i) {
        const auto next = schedule->next(now);
        REQUIRE(next);
        INFO(zone << " " << cron << " " << rfc3339(now));
        REQUIRE(*next > now);
        REQUIRE(schedule->next(*next - std::chrono::milliseconds(1)) == next);
        now = *next;
      }
    }
  }
}

TEST_CASE("times out of range give nothing instead of overflowing", "[cron]") {
  const auto schedule = Cron::parse("@yearly");
  REQUIRE(schedule);
  CHECK_FALSE(schedule->next(WallTime::max()));
  CHECK_FALSE(schedule->next(WallTime::min()));
  CHECK(schedule->next(from_unix_ms(0)) == at("1971-01-01T00:00:00Z"));
}

TEST_CASE("time zones are known by their IANA name", "[cron]") {
  for (auto name : {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia"}) CHECK(recipe::check_time_zone(name));
  for (auto name : {"", "Berlin", "europe/berlin", "CEST", "/etc/passwd", "Europe/Berlin "})
    CHECK_FALSE(recipe::check_time_zone(name));
}
