#include "shared/recipe/cron.h"

#include "shared/zone/zones.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <span>
#include <vector>

namespace sallyport::recipe {
namespace {

constexpr std::size_t kMaxText = 256;
constexpr std::int64_t kLastMs = 250'246'540'800'000;   // 9900-01-01
constexpr std::int64_t kFirstMs = -62'135'596'800'000;  // 0001-01-01

constexpr std::array<std::string_view, 12> kMonthNames{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDayNames{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<int, 13> kLongest{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

struct Macro {
  std::string_view name, fields;
};
constexpr std::array kMacros{Macro{"@hourly", "0 * * * *"},   Macro{"@daily", "0 0 * * *"},
                             Macro{"@midnight", "0 0 * * *"}, Macro{"@weekly", "0 0 * * 0"},
                             Macro{"@monthly", "0 0 1 * *"},  Macro{"@yearly", "0 0 1 1 *"},
                             Macro{"@annually", "0 0 1 1 *"}};

struct FieldSpec {
  std::string_view name;
  int min, max;
  std::span<const std::string_view> words;  // words[0] stands for `first`
  int first;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::unexpected<Error> wrong(const FieldSpec& spec, std::string_view what) {
  return fail(Errc::invalid, fmt::format("{}: {}", spec.name, what));
}

Result<int> number(const FieldSpec& spec, std::string_view text) {
  if (const auto word = std::ranges::find(spec.words, text); word != spec.words.end()) {
    return spec.first + static_cast<int>(word - spec.words.begin());
  }
  int value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size() || value < spec.min ||
      value > spec.max) {
    return wrong(spec, fmt::format("must be from {} to {}", spec.min, spec.max));
  }
  return value;
}

struct Range {
  int from, to, step;
};

Result<Range> range(const FieldSpec& spec, std::string_view text) {
  Range made{spec.min, spec.max, 1};
  const auto slash = text.find('/');
  const auto base = text.substr(0, slash);
  const auto dash = base.find('-', 1);
  if (base != "*") {
    SP_TRY(made.from, number(spec, base.substr(0, dash)));
    made.to = made.from;
    if (dash != std::string_view::npos) {
      SP_TRY(made.to, number(spec, base.substr(dash + 1)));
    } else if (slash != std::string_view::npos) {
      return wrong(spec, "a step needs `*` or a range before it, such as `10-59/5`");
    }
  }
  if (made.from > made.to) return wrong(spec, "the range runs backwards");
  if (slash == std::string_view::npos) return made;
  const auto step = text.substr(slash + 1);
  const auto [end, problem] = std::from_chars(step.data(), step.data() + step.size(), made.step);
  if (step.empty() || problem != std::errc() || end != step.data() + step.size() || made.step < 1 ||
      made.step > spec.max) {
    return wrong(spec, fmt::format("the step must be from 1 to {}", spec.max));
  }
  return made;
}

template <std::size_t N>
Result<std::bitset<N>> field(const FieldSpec& spec, std::string_view text) {
  std::bitset<N> bits;
  for (auto part : split(text, ",")) {
    SP_TRY(const auto wanted, range(spec, part));
    for (int i = wanted.from; i <= wanted.to; i += wanted.step) bits.set(static_cast<std::size_t>(i) % N);
  }
  return bits;
}

}  // namespace

class CronParser {
 public:
  static Result<Cron> fields(std::string_view text) {
    std::vector<std::string_view> parts;
    for (auto part : split(text, " \t")) {
      if (!part.empty()) parts.push_back(part);
    }
    if (parts.size() != 5) {
      return fail(Errc::invalid, "a schedule has five fields: minute, hour, day of month, month, weekday");
    }
    Cron cron;
    SP_TRY(cron.minutes_, field<60>({"minute", 0, 59, {}, 0}, parts[0]));
    SP_TRY(cron.hours_, field<24>({"hour", 0, 23, {}, 0}, parts[1]));
    SP_TRY(cron.days_, field<32>({"day of month", 1, 31, {}, 0}, parts[2]));
    SP_TRY(cron.months_, field<13>({"month", 1, 12, kMonthNames, 1}, parts[3]));
    SP_TRY(cron.weekdays_, field<7>({"weekday", 0, 7, kDayNames, 0}, parts[4]));
    cron.either_day_ = !parts[2].starts_with('*') && !parts[4].starts_with('*');
    if (!comes(cron)) return fail(Errc::invalid, "day of month: no such day in these months, the schedule never comes");
    return cron;
  }

 private:
  static bool comes(const Cron& cron) {
    if (cron.either_day_) return true;
    for (std::size_t month = 1; month <= 12; ++month) {
      for (std::size_t day = 1; cron.months_[month] && day <= static_cast<std::size_t>(kLongest[month]); ++day) {
        if (cron.days_[day]) return true;
      }
    }
    return false;
  }
};

// Looks for the next match through the stretches of time in which the zone's offset does not change.
class CronSearch {
 public:
  explicit CronSearch(const Cron& cron) : cron_(cron), times_of_day_(!cron.hours_.all()) {}

  std::optional<WallTime> after(WallTime start) const {
    const auto asked = std::chrono::floor<std::chrono::seconds>(start);
    const auto bound = asked + kHorizon;
    for (std::chrono::sys_seconds at = asked + std::chrono::seconds(1); at < bound;) {
      const auto here = cron_.zone_->stretch(at);
      if (const auto found = in_stretch(asked, at, here)) return WallTime(found->time_since_epoch());
      at = here.end;
    }
    return std::nullopt;
  }

 private:
  // Weekday, date and leap year repeat after 28 years, after 40 across a century that is no leap year.
  static constexpr auto kHorizon = std::chrono::hours(24 * 366 * 41);

  std::optional<std::chrono::sys_seconds> in_stretch(std::chrono::sys_seconds asked, std::chrono::sys_seconds at,
                                                     const ZoneStretch& here) const {
    auto from =
        std::chrono::ceil<std::chrono::minutes>(std::chrono::local_seconds(at.time_since_epoch() + here.offset));
    if (times_of_day_ && here.begin > asked - std::chrono::hours(48)) {
      const auto before = cron_.zone_->stretch(here.begin - std::chrono::seconds(1));
      const std::chrono::local_seconds old_end(here.begin.time_since_epoch() + before.offset);
      const std::chrono::local_seconds new_begin(here.begin.time_since_epoch() + here.offset);
      if (here.begin > asked && match(std::chrono::ceil<std::chrono::minutes>(old_end), new_begin)) return here.begin;
      if (new_begin < old_end) from = std::max(from, std::chrono::ceil<std::chrono::minutes>(old_end));
    }
    const auto limit = std::min(here.end, asked + kHorizon);
    const auto found = match(from, std::chrono::local_seconds(limit.time_since_epoch() + here.offset));
    if (!found) return std::nullopt;
    return std::chrono::sys_seconds(found->time_since_epoch() - here.offset);
  }

  using LocalMinutes = std::chrono::local_time<std::chrono::minutes>;

  // The first matching minute of the wall clock in [from, end).
  std::optional<LocalMinutes> match(LocalMinutes from, std::chrono::local_seconds end) const {
    for (auto day = std::chrono::floor<std::chrono::days>(from); day < end;) {
      const std::chrono::year_month_day civil(day);
      if (!cron_.months_[static_cast<unsigned>(civil.month())]) {
        day = std::chrono::local_days(civil.year() / civil.month() / std::chrono::last) + std::chrono::days(1);
        continue;
      }
      if (on_day(civil, std::chrono::weekday(day))) {
        const auto earliest = std::max<LocalMinutes>(day, from);
        if (const auto time = in_day(earliest - LocalMinutes(day))) {
          const auto found = LocalMinutes(day) + *time;
          return found < end ? std::optional(found) : std::nullopt;
        }
      }
      day += std::chrono::days(1);
    }
    return std::nullopt;
  }

  bool on_day(const std::chrono::year_month_day& civil, std::chrono::weekday weekday) const {
    const bool by_date = cron_.days_[static_cast<unsigned>(civil.day())];
    const bool by_weekday = cron_.weekdays_[weekday.c_encoding()];
    return cron_.either_day_ ? by_date || by_weekday : by_date && by_weekday;
  }

  std::optional<std::chrono::minutes> in_day(std::chrono::minutes earliest) const {
    const auto first_hour = static_cast<std::size_t>(earliest.count() / 60);
    for (std::size_t hour = first_hour; hour < 24; ++hour) {
      if (!cron_.hours_[hour]) continue;
      for (auto minute = hour == first_hour ? static_cast<std::size_t>(earliest.count() % 60) : 0; minute < 60;
           ++minute) {
        if (cron_.minutes_[minute]) return std::chrono::hours(hour) + std::chrono::minutes(minute);
      }
    }
    return std::nullopt;
  }

  const Cron& cron_;
  bool times_of_day_;
};

Result<void> check_time_zone(std::string_view name) {
  SP_CHECK(system_zones().find(name));
  return {};
}

Result<Cron> Cron::parse(std::string_view text) { return parse(text, "UTC"); }

Result<Cron> Cron::parse(std::string_view text, std::string_view time_zone) {
  if (text.size() > kMaxText) return fail(Errc::invalid, "a schedule has at most 256 characters");
  const auto words = lower(text);
  std::string_view fields = words;
  if (fields.starts_with('@')) {
    const auto macro = std::ranges::find(kMacros, fields, &Macro::name);
    if (macro == kMacros.end()) {
      return fail(Errc::invalid, "unknown name: @hourly, @daily, @weekly, @monthly and @yearly are known");
    }
    fields = macro->fields;
  }
  SP_TRY(auto cron, CronParser::fields(fields));
  SP_TRY(cron.zone_, system_zones().find(time_zone));
  return cron;
}

std::optional<WallTime> Cron::next(WallTime after) const {
  if (unix_ms(after) >= kLastMs || unix_ms(after) < kFirstMs) return std::nullopt;
  return CronSearch(*this).after(after);
}

}  // namespace sallyport::recipe
