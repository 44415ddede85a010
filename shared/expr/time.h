#pragma once

#include "shared/expr/failure.h"

#include <optional>
#include <string_view>

// Timestamps 0001-01-01T00:00:00Z .. 9999-12-31T23:59:59.999999999Z and durations that fit 64 bits of nanoseconds
// (about 292 years; cel-spec, "Overflow"); results outside are "range" errors.
namespace sallyport::expr {

Answer timestamp_from(std::int64_t seconds, std::int64_t nanos);
Answer duration_from(__int128 nanos);
__int128 total_nanos(Duration length);

Answer add_time(Timestamp at, Duration length);
Answer add_durations(Duration a, Duration b);
Answer time_between(Timestamp a, Timestamp b);
Duration negated(Duration length);

// RFC 3339 with any offset, up to nine digits of fraction.
Answer parse_timestamp(std::string_view text);
// "1h30m", "-1.5s", "100ms", "10us", "7ns", "0".
Answer parse_duration_text(std::string_view text);

// RFC 3339 in UTC, "3.5s".
std::string time_text(const Value& timestamp_or_duration);

// Date and time of day in a zone: "UTC", an IANA name, or "+02:00", "-09:30", "02:00".
struct CivilTime {
  int year, month, day;          // month and day from 1
  int day_of_week, day_of_year;  // from 0; Sunday is 0
  int hours, minutes, seconds;
};
std::expected<CivilTime, Failure> civil_time(Timestamp at, std::string_view zone);

}  // namespace sallyport::expr
