#include "agent/connectors/sql/value_parts.h"

#include "shared/base/json.h"

#include <chrono>

namespace sallyport::connectors::sql {

std::string plain_json(const Value& value) {
  auto text = to_json(value);
  return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
}

CivilTime civil_time(Timestamp at) {
  using namespace std::chrono;
  const sys_seconds whole{seconds(at.seconds)};
  const auto day = floor<days>(whole);
  const year_month_day date(day);
  const hh_mm_ss time(whole - day);
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<unsigned>(time.hours().count()),
          static_cast<unsigned>(time.minutes().count()),
          static_cast<unsigned>(time.seconds().count()),
          static_cast<unsigned>(at.nanos / 1000)};
}

}  // namespace sallyport::connectors::sql
