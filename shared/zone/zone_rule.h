#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sallyport {

// A stretch of time, [begin, end), in which a zone's offset from UTC does not change.
struct ZoneStretch {
  std::chrono::sys_seconds begin = std::chrono::sys_seconds::min();
  std::chrono::sys_seconds end = std::chrono::sys_seconds::max();
  std::chrono::seconds offset{};  // east of UTC

  friend bool operator==(const ZoneStretch&, const ZoneStretch&) = default;
};

// The rule of a TZif footer, "CET-1CEST,M3.5.0,M10.5.0/3": POSIX.1 XBD 8.3 `TZ` with the extensions of RFC 9636 §3.3.1
// (times of day from -167 to 167 hours). Immutable.
class ZoneRule {
 public:
  // nullopt for anything else; a second name needs its two dates.
  static std::optional<ZoneRule> parse(std::string_view text);

  // `at` in the years 1 to 32000.
  ZoneStretch stretch(std::chrono::sys_seconds at) const;

 private:
  friend class ZoneRuleParser;

  // A day of the year and a time of its wall clock.
  struct Change {
    enum class Kind : std::uint8_t { month_week_weekday, day_without_leap, day_from_zero };
    Kind kind = Kind::day_from_zero;
    unsigned month = 0, week = 0, weekday = 0;  // "M3.5.0": week 5 is the last
    int day = 0;
    std::chrono::seconds time{7200};

    std::chrono::seconds in_year(std::chrono::year year) const;  // wall clock, from 1970
  };

  std::chrono::seconds standard_{};
  bool changes_ = false;
  std::chrono::seconds summer_{};  // the second name's, which may be the smaller
  Change start_, end_;
};

}  // namespace sallyport
