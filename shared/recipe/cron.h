#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {
class TimeZone;
}

namespace sallyport::recipe {

// A schedule as crontab(5) writes it, in an IANA time zone. No clock and no IO of its own (besides reading the system's
// time zone data once).
//
// Five fields: minute 0-59, hour 0-23, day of month 1-31, month 1-12 or jan-dec, weekday 0-7 or sun-sat (0 and 7 are
// Sunday); each `*`, a number, a range `a-b`, a step `*/n` or `a-b/n`, or a list of these. Or one of @hourly, @daily
// (@midnight), @weekly, @monthly, @yearly (@annually). When both day of month and weekday are restricted (do not begin
// with `*`), a day that matches either one matches.
//
// Daylight saving: a schedule whose hour field is every hour follows real time (`*/15 * * * *` runs every 15 minutes of
// real time, also in a repeated hour). Any other one names times of day: a time that is skipped runs once, at the
// moment the clock jumps; a time that is repeated runs once, the first time.
class Cron {
 public:
  // Refuses what is not understood (seconds, `?`, `L`, `W`, `#`, @reboot), ranges that run backwards, and schedules
  // that never come (`0 0 30 2 *`): Errc::invalid, the message names the field. A zone: as Zones::find.
  static Result<Cron> parse(std::string_view text);
  static Result<Cron> parse(std::string_view text, std::string_view time_zone);  // default zone: UTC

  // The first time strictly after `after`; nullopt only beyond the year 9900.
  std::optional<WallTime> next(WallTime after) const;

 private:
  friend class CronParser;
  friend class CronSearch;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool either_day_ = false;         // day of month and weekday are both restricted
  const TimeZone* zone_ = nullptr;  // never null after parse; lives as long as the program
};

// Whether it is a name of the IANA data base ("Europe/Berlin", "UTC"); else why not, as Zones::find.
Result<void> check_time_zone(std::string_view name);

}  // namespace sallyport::recipe
