#pragma once

#include "shared/base/value.h"

#include <string>

namespace sallyport::connectors::sql {

// A value as JSON writes it, a text without its quotes: how what no server has a type for travels.
std::string plain_json(const Value& value);

// A point in time in UTC, by the calendar.
struct CivilTime {
  int year;
  unsigned month, day, hour, minute, second, micros;
};
CivilTime civil_time(Timestamp at);

}  // namespace sallyport::connectors::sql
