#include "shared/base/result.h"
#include "shared/expr/functions.h"
#include "shared/expr/time.h"

#include <array>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

constexpr std::uint64_t kUnknownZone = 200;  // what the file system is asked each time, zones that exist once

// The field of a timestamp, in UTC or in the zone that the second argument names.
Answer field(const Call& call, int (*pick)(const CivilTime&)) {
  const bool in_zone = call.are(Kind::timestamp, Kind::string);
  if (!in_zone && !call.are(Kind::timestamp)) return no_overload();
  const auto civil = civil_time(call[0].as_timestamp(), in_zone ? call[1].as_string() : "UTC");
  if (civil) return Value(pick(*civil));
  SP_CHECK(call.budget.spend(kUnknownZone));
  return std::unexpected(civil.error());
}

// A duration counted in whole units, or the field of a timestamp.
Answer counted(const Call& call, std::int64_t seconds_per_unit, int (*pick)(const CivilTime&)) {
  if (call.are(Kind::duration)) return Value(call[0].as_duration().seconds / seconds_per_unit);
  return field(call, pick);
}

Answer date(const Call& call) {
  return field(call, [](const CivilTime& t) { return t.day; });
}
Answer day_of_month(const Call& call) {
  return field(call, [](const CivilTime& t) { return t.day - 1; });
}
Answer day_of_week(const Call& call) {
  return field(call, [](const CivilTime& t) { return t.day_of_week; });
}
Answer day_of_year(const Call& call) {
  return field(call, [](const CivilTime& t) { return t.day_of_year; });
}
Answer full_year(const Call& call) {
  return field(call, [](const CivilTime& t) { return t.year; });
}
Answer month(const Call& call) {
  return field(call, [](const CivilTime& t) { return t.month - 1; });
}
Answer hours(const Call& call) {
  return counted(call, 3600, [](const CivilTime& t) { return t.hours; });
}
Answer minutes(const Call& call) {
  return counted(call, 60, [](const CivilTime& t) { return t.minutes; });
}
Answer seconds(const Call& call) {
  return counted(call, 1, [](const CivilTime& t) { return t.seconds; });
}

Answer milliseconds(const Call& call) {
  if (call.are(Kind::duration)) return Value(static_cast<std::int64_t>(call[0].as_duration().nanos / 1'000'000));
  SP_CHECK(field(call, [](const CivilTime&) { return 0; }));
  return Value(static_cast<std::int64_t>(call[0].as_timestamp().nanos / 1'000'000));
}

constexpr std::string_view kOfTimestamp = "timestamp -> int; timestamp, string -> int";
constexpr std::string_view kOfBoth = "timestamp -> int; timestamp, string -> int; duration -> int";

constexpr std::array kFunctions = {
    Function{"getDate", Style::receiver, kOfTimestamp, date},
    Function{"getDayOfMonth", Style::receiver, kOfTimestamp, day_of_month},
    Function{"getDayOfWeek", Style::receiver, kOfTimestamp, day_of_week},
    Function{"getDayOfYear", Style::receiver, kOfTimestamp, day_of_year},
    Function{"getFullYear", Style::receiver, kOfTimestamp, full_year},
    Function{"getMonth", Style::receiver, kOfTimestamp, month},
    Function{"getHours", Style::receiver, kOfBoth, hours},
    Function{"getMinutes", Style::receiver, kOfBoth, minutes},
    Function{"getSeconds", Style::receiver, kOfBoth, seconds},
    Function{"getMilliseconds", Style::receiver, kOfBoth, milliseconds},
};

}  // namespace

std::span<const Function> time_functions() { return kFunctions; }

}  // namespace sallyport::expr
