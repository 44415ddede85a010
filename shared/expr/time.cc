#include "shared/expr/time.h"

#include "shared/base/json.h"
#include "shared/base/result.h"
#include "shared/zone/zones.h"

#include <array>

namespace sallyport::expr {
namespace {

constexpr std::int64_t kEarliest = -62135596800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kLatest = 253402300799;    // 9999-12-31T23:59:59Z
constexpr __int128 kSecond = 1'000'000'000;

std::unexpected<Failure> timestamp_range() { return failed("range: the timestamp is outside the years 1 to 9999"); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `count` digits off `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || !one_of.contains(text.front())) return false;
  text.remove_prefix(1);
  return true;
}

// Fraction digits as nanoseconds, what is finer cut off; nullopt when there is none.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  std::int64_t nanos = 0, unit = kSecond / 10;
  std::size_t digits = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits, unit /= 10) nanos += (text[digits] - '0') * unit;
  text.remove_prefix(digits);
  if (digits == 0) return std::nullopt;
  return nanos;
}

// "+02:00" with an optional sign, in seconds.
std::optional<std::int64_t> fixed_offset(std::string_view text) {
  const std::int64_t sign = text.starts_with('-') ? -1 : 1;
  take(text, "+-");
  const auto hours = take_digits(text, 2);
  const bool colon = take(text, ":");
  const auto minutes = take_digits(text, 2);
  if (!hours || !colon || !minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

// The offset part of RFC 3339: Z or a signed offset.
std::optional<std::int64_t> rfc3339_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  return text.starts_with('+') || text.starts_with('-') ? fixed_offset(text) : std::nullopt;
}

struct Unit {
  std::string_view name;
  std::int64_t nanos;
};
// Longer names before their prefixes.
constexpr std::array kUnits = {
    Unit{"ns", 1},         Unit{"us", 1'000},        Unit{"\u00B5s", 1'000},    Unit{"\u03BCs", 1'000},
    Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000}};

const Unit* take_unit(std::string_view& text) {
  for (const auto& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return &unit;
  }
  return nullptr;
}

// One "12.5h" off the front, in nanoseconds, truncated.
std::optional<__int128> take_amount(std::string_view& text) {
  constexpr __int128 kEnough = __int128(1) << 64;
  __int128 whole = 0, fraction = 0, scale = 1;
  std::size_t digits = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits)
    whole = std::min(whole * 10 + (text.front() - '0'), kEnough);
  if (take(text, ".")) {
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
      if (scale >= kSecond * kSecond) continue;
      fraction = fraction * 10 + (text.front() - '0');
      scale *= 10;
    }
  }
  const auto* unit = digits > 0 ? take_unit(text) : nullptr;
  if (unit == nullptr) return std::nullopt;
  return whole * unit->nanos + fraction * unit->nanos / scale;
}

std::expected<std::int64_t, Failure> zone_offset(std::string_view zone, std::int64_t seconds) {
  if (zone.empty()) return 0;
  if (const auto fixed = fixed_offset(zone)) return *fixed;
  const auto named = system_zones().find(zone);
  if (named) return (*named)->stretch(std::chrono::sys_seconds(std::chrono::seconds(seconds))).offset.count();
  if (named.error().code != Errc::not_found) return failed("invalid_argument: " + named.error().message);
  return failed(
      "invalid_argument: unknown time zone; use an IANA name such as Europe/Berlin or an offset such as +02:00");
}

}  // namespace

Answer timestamp_from(std::int64_t seconds, std::int64_t nanos) {
  if (seconds < kEarliest || seconds > kLatest) return timestamp_range();
  return Value(Timestamp{seconds, static_cast<std::int32_t>(nanos)});
}

Answer duration_from(__int128 nanos) {
  if (nanos > INT64_MAX || nanos < INT64_MIN) return failed("range: the duration is longer than 292 years");
  return Value(Duration{static_cast<std::int64_t>(nanos / kSecond), static_cast<std::int32_t>(nanos % kSecond)});
}

__int128 total_nanos(Duration length) { return length.seconds * kSecond + length.nanos; }
Duration negated(Duration length) { return Duration{-length.seconds, -length.nanos}; }

Answer add_time(Timestamp at, Duration length) {
  const __int128 sum = at.seconds * kSecond + at.nanos + total_nanos(length);
  const __int128 nanos = (sum % kSecond + kSecond) % kSecond;
  const __int128 seconds = (sum - nanos) / kSecond;
  if (seconds < kEarliest || seconds > kLatest) return timestamp_range();
  return timestamp_from(static_cast<std::int64_t>(seconds), static_cast<std::int64_t>(nanos));
}

Answer add_durations(Duration a, Duration b) { return duration_from(total_nanos(a) + total_nanos(b)); }

Answer time_between(Timestamp a, Timestamp b) {
  return duration_from((a.seconds * kSecond + a.nanos) - (b.seconds * kSecond + b.nanos));
}

Answer parse_timestamp(std::string_view text) {
  const auto malformed = [] {
    return failed("invalid_argument: not an RFC 3339 timestamp such as 2026-01-31T09:30:00Z");
  };
  if (text.size() > 5 && is_digit(text[4]) && text.find('-') == 5) return timestamp_range();  // a year of five digits
  const auto year = take_digits(text, 4);
  const bool dash = take(text, "-");
  const auto month = take_digits(text, 2);
  const bool second_dash = take(text, "-");
  const auto day = take_digits(text, 2);
  const bool separator = take(text, "Tt");
  const auto hours = take_digits(text, 2);
  const bool colon = take(text, ":");
  const auto minutes = take_digits(text, 2);
  const bool second_colon = take(text, ":");
  const auto seconds = take_digits(text, 2);
  if (!year || !dash || !month || !second_dash || !day || !separator || !hours || !colon || !minutes || !second_colon ||
      !seconds)
    return malformed();
  std::int64_t nanos = 0;
  if (take(text, ".")) {
    const auto fraction = take_fraction(text);
    if (!fraction) return malformed();
    nanos = *fraction;
  }
  const auto offset = rfc3339_offset(text);
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !date.ok() || *hours > 23 || *minutes > 59 || *seconds > 59) return malformed();
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return timestamp_from(days * 86400 + *hours * 3600 + *minutes * 60 + *seconds - *offset, nanos);
}

Answer parse_duration_text(std::string_view text) {
  const auto malformed = [] { return failed("invalid_argument: not a duration such as 1h30m or 2.5s"); };
  const bool negative = text.starts_with('-');
  take(text, "+-");
  if (text == "0") return duration_from(0);
  if (text.empty()) return malformed();
  constexpr __int128 kTooLong = __int128(1) << 64;
  __int128 total = 0;
  while (!text.empty()) {
    const auto amount = take_amount(text);
    if (!amount) return malformed();
    total += *amount;
    if (total > kTooLong) break;
  }
  return duration_from(negative ? -total : total);
}

std::string time_text(const Value& timestamp_or_duration) {
  const auto quoted = to_json(timestamp_or_duration);
  return quoted.substr(1, quoted.size() - 2);
}

std::expected<CivilTime, Failure> civil_time(Timestamp at, std::string_view zone) {
  SP_TRY(const auto offset, zone_offset(zone, at.seconds));
  using namespace std::chrono;
  const sys_seconds local(seconds(at.seconds + offset));
  const auto day = floor<days>(local);
  const year_month_day date(day);
  const auto in_day = static_cast<int>((local - day).count());
  const auto new_year = sys_days(date.year() / January / 1);
  return CivilTime{.year = static_cast<int>(date.year()),
                   .month = static_cast<int>(static_cast<unsigned>(date.month())),
                   .day = static_cast<int>(static_cast<unsigned>(date.day())),
                   .day_of_week = static_cast<int>(weekday(day).c_encoding()),
                   .day_of_year = static_cast<int>((day - new_year).count()),
                   .hours = in_day / 3600,
                   .minutes = in_day / 60 % 60,
                   .seconds = in_day % 60};
}

}  // namespace sallyport::expr
