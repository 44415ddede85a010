#include "shared/zone/zone_rule.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport {

using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

class ZoneRuleParser {
 public:
  explicit ZoneRuleParser(std::string_view text) : rest_(text) {}

  std::optional<ZoneRule> rule() {
    ZoneRule made;
    const auto standard = name() ? time(24) : std::nullopt;
    if (!standard) return std::nullopt;
    made.standard_ = -*standard;
    if (rest_.empty()) return made;
    if (!name()) return std::nullopt;
    made.changes_ = true;
    made.summer_ = made.standard_ + std::chrono::hours(1);
    if (!rest_.starts_with(',')) {
      const auto summer = time(24);
      if (!summer) return std::nullopt;
      made.summer_ = -*summer;
    }
    const auto start = change(), end = change();
    if (!start || !end || !rest_.empty()) return std::nullopt;
    made.start_ = *start;
    made.end_ = *end;
    return made;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Three letters or more, or any of "A-Za-z0-9+-" in angle brackets.
  bool name() {
    const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    const bool quoted = take('<');
    const auto end = std::ranges::find_if_not(
        rest_, [&](char c) { return is_letter(c) || (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')); });
    const auto length = static_cast<std::size_t>(end - rest_.begin());
    rest_.remove_prefix(length);
    return length >= 3 && (!quoted || take('>'));
  }

  std::optional<int> number(int least, int most) {
    int value = 0;
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    const bool digit = !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9';
    if (!digit || problem != std::errc() || value < least || value > most) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  // "[+-]h[h[h]][:mm[:ss]]"
  std::optional<seconds> time(int most_hours) {
    const int sign = take('-') ? -1 : 1;
    if (sign > 0) take('+');
    const auto hours = number(0, most_hours);
    if (!hours) return std::nullopt;
    auto total = seconds(*hours * 3600);
    for (const int unit : {60, 1}) {
      if (!take(':')) break;
      const auto part = number(0, 59);
      if (!part) return std::nullopt;
      total += seconds(*part * unit);
    }
    return sign * total;
  }

  // ",M3.5.0/2", ",J60" (from 1, 29 February never counted) or ",59" (from 0).
  std::optional<ZoneRule::Change> change() {
    using Kind = ZoneRule::Change::Kind;
    if (!take(',')) return std::nullopt;
    ZoneRule::Change made;
    if (take('M')) {
      const auto month = number(1, 12);
      const auto week = month && take('.') ? number(1, 5) : std::nullopt;
      const auto weekday = week && take('.') ? number(0, 6) : std::nullopt;
      if (!weekday) return std::nullopt;
      made.kind = Kind::month_week_weekday;
      made.month = static_cast<unsigned>(*month);
      made.week = static_cast<unsigned>(*week);
      made.weekday = static_cast<unsigned>(*weekday);
    } else {
      const bool without_leap = take('J');
      const auto day = without_leap ? number(1, 365) : number(0, 365);
      if (!day) return std::nullopt;
      made.kind = without_leap ? Kind::day_without_leap : Kind::day_from_zero;
      made.day = *day;
    }
    if (!take('/')) return made;
    const auto at = time(167);
    if (!at) return std::nullopt;
    made.time = *at;
    return made;
  }

  std::string_view rest_;
};

std::optional<ZoneRule> ZoneRule::parse(std::string_view text) { return ZoneRuleParser(text).rule(); }

seconds ZoneRule::Change::in_year(std::chrono::year year) const {
  using namespace std::chrono;
  const auto new_year = sys_days(year / January / 1);
  const auto date = [&]() -> sys_days {
    switch (kind) {
      case Kind::day_from_zero: return new_year + days(day);
      case Kind::day_without_leap: return new_year + days(day - 1 + (year.is_leap() && day >= 60 ? 1 : 0));
      case Kind::month_week_weekday: break;
    }
    const auto in_month = year / std::chrono::month(month);
    const std::chrono::weekday wanted(weekday);
    return week == 5 ? sys_days(in_month / wanted[last]) : sys_days(in_month / wanted[week]);
  }();
  return date.time_since_epoch() + time;
}

ZoneStretch ZoneRule::stretch(sys_seconds at) const {
  if (!changes_) return {.offset = standard_};
  struct Turn {
    sys_seconds when;
    seconds offset;  // from then on
  };
  const auto year = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(at)).year();
  std::array<Turn, 6> turns;
  auto turn = turns.begin();
  for (const auto y : {year - std::chrono::years(1), year, year + std::chrono::years(1)}) {
    *turn++ = {sys_seconds(start_.in_year(y) - standard_), summer_};
    *turn++ = {sys_seconds(end_.in_year(y) - summer_), standard_};
  }
  // Where one summer ends as the next begins, the beginning counts.
  std::ranges::sort(turns, [this](const Turn& a, const Turn& b) {
    return a.when != b.when ? a.when < b.when : a.offset != b.offset && b.offset == summer_;
  });
  const auto next = std::ranges::upper_bound(turns, at, {}, &Turn::when);
  if (next == turns.begin() || next == turns.end()) return {.offset = standard_};
  return {.begin = std::prev(next)->when, .end = next->when, .offset = std::prev(next)->offset};
}

}  // namespace sallyport
