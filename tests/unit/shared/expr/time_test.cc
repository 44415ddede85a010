#include "expr_support.h"

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

TEST_CASE("timestamps are read from RFC 3339", "[expr][time]") {
  check_all({
      {"timestamp('2009-02-13T23:31:30Z')", "timestamp(2009-02-13T23:31:30Z)"},
      {"timestamp('2009-02-13T23:31:30.123456789Z')", "timestamp(2009-02-13T23:31:30.123456789Z)"},
      {"timestamp('2009-02-13T23:31:30+02:00')", "timestamp(2009-02-13T21:31:30Z)"},
      {"timestamp('2009-02-13T23:31:30-09:30')", "timestamp(2009-02-14T09:01:30Z)"},
      {"timestamp('2024-02-29T00:00:00Z')", "timestamp(2024-02-29T00:00:00Z)"},
      {"timestamp(1234567890)", "timestamp(2009-02-13T23:31:30Z)"},
      {"timestamp('0001-01-01T00:00:00Z')", "timestamp(0001-01-01T00:00:00Z)"},
      {"timestamp('9999-12-31T23:59:59.999999999Z')", "timestamp(9999-12-31T23:59:59.999999999Z)"},
      {"timestamp('0000-01-01T00:00:00Z')", "error: range"},
      {"timestamp('10000-01-01T00:00:00Z')", "error: range"},
      {"timestamp('0001-01-01T00:00:00+01:00')", "error: range"},
      {"timestamp(253402300800)", "error: range"},
      {"timestamp(-62135596801)", "error: range"},
      {"timestamp('2023-02-29T00:00:00Z')", "error: not an RFC 3339"},
      {"timestamp('2009-02-13T24:00:00Z')", "error: not an RFC 3339"},
      {"timestamp('2009-02-13T23:31:60Z')", "error: not an RFC 3339"},
      {"timestamp('2009-02-13T23:31:30')", "error: not an RFC 3339"},
      {"timestamp('2009-02-13T23:31:30.Z')", "error: not an RFC 3339"},
      {"timestamp('2009-02-13T23:31:30.1234567899999999999999999999Z')", "timestamp(2009-02-13T23:31:30.123456789Z)"},
      {"timestamp('2009-02-13 23:31:30Z')", "error: not an RFC 3339"},
      {"timestamp('2009-02-13T23:31:30+0200')", "error: not an RFC 3339"},
      {"timestamp('')", "error: not an RFC 3339"},
      {"timestamp(dyn(1.5))", "error: no such overload"},
  });
}

TEST_CASE("durations are read with their units", "[expr][time]") {
  check_all({
      {"duration('1h45m47s')", "duration(6347s)"},
      {"duration('-1.5s')", "duration(-1.5s)"},
      {"duration('100ms')", "duration(0.1s)"},
      {"duration('1us')", "duration(0.000001s)"},
      {"duration('1\u00b5s')", "duration(0.000001s)"},
      {"duration('-999999999ns')", "duration(-0.999999999s)"},
      {"duration('0')", "duration(0s)"},
      {"duration('.5h')", "duration(1800s)"},
      {"duration('9223372036.854775807s')", "duration(9223372036.854775807s)"},
      {"duration('9223372036.854775808s')", "error: range"},
      {"duration('-9223372036.854775808s')", "duration(-9223372036.854775808s)"},
      {"duration('-9223372036.854775809s')", "error: range"},
      {"duration('-320000000000s')", "error: range"},
      {"duration('99999999999999999999999999h')", "error: range"},
      {"duration('1')", "error: not a duration"},
      {"duration('1d')", "error: not a duration"},
      {"duration('s')", "error: not a duration"},
      {"duration('')", "error: not a duration"},
      {"duration('-')", "error: not a duration"},
      {"duration('1s ')", "error: not a duration"},
  });
}

TEST_CASE("time arithmetic stays in range", "[expr][time]") {
  check_all({
      {"timestamp('2009-02-13T23:00:00Z') + duration('240s')", "timestamp(2009-02-13T23:04:00Z)"},
      {"duration('120s') + timestamp('2009-02-13T23:01:00Z')", "timestamp(2009-02-13T23:03:00Z)"},
      {"timestamp('2009-02-13T23:10:00Z') - duration('600s')", "timestamp(2009-02-13T23:00:00Z)"},
      {"timestamp('0001-01-01T00:00:01.000000001Z') + duration('-999999999ns')",
       "timestamp(0001-01-01T00:00:00.000000002Z)"},
      {"timestamp(0) - duration('0.5s')", "timestamp(1969-12-31T23:59:59.5Z)"},
      {"timestamp(100) - timestamp(40)", "duration(60s)"},
      {"duration('600s') - duration('650.5s')", "duration(-50.5s)"},
      {"duration('600s') + duration('50s')", "duration(650s)"},
      {"timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')", "error: range"},
      {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", "error: range"},
      {"timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')", "error: range"},
      {"duration('9000000000s') + duration('9000000000s')", "error: range"},
      {"duration('-9000000000s') - duration('9000000000s')", "error: range"},
      {"duration('200000000000s') + duration('200000000000s')", "error: range"},
      {"timestamp(0) + timestamp(0)", "error: no matching overload"},
  });
}

TEST_CASE("fields of a timestamp are taken in UTC or in a zone", "[expr][time]") {
  // 2009-02-13 was a Friday.
  const std::string at = "timestamp('2009-02-13T23:31:30.123456789Z')";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {".getDate()", "13"},
      {".getDayOfMonth()", "12"},
      {".getDayOfWeek()", "5"},
      {".getDayOfYear()", "43"},
      {".getFullYear()", "2009"},
      {".getMonth()", "1"},
      {".getHours()", "23"},
      {".getMinutes()", "31"},
      {".getSeconds()", "30"},
      {".getMilliseconds()", "123"},
      {".getDate('Australia/Sydney')", "14"},
      {".getDayOfWeek('Australia/Sydney')", "6"},
      {".getHours('America/New_York')", "18"},
      {".getMinutes('Asia/Kathmandu')", "16"},
      {".getHours('02:00')", "1"},
      {".getHours('+02:00')", "1"},
      {".getDate('+02:00')", "14"},
      {".getMinutes('-09:30')", "1"},
      {".getSeconds('-00:00')", "30"},
      {".getMilliseconds('UTC')", "123"},
      {".getHours('Europe/Atlantis')", "error: unknown time zone"},
      {".getHours('../../etc/passwd')", "error: unknown time zone"},
      {".getHours('+2:00')", "error: unknown time zone"},
      {".getMilliseconds('+24:00')", "error: unknown time zone"},
      {".getHours(dyn(1))", "error: no such overload"},
  };
  for (const auto& [call, expected] : cases) check_all({{at + call, expected}});
  // Daylight saving: the same zone, another offset in July.
  check_all({{"timestamp('2009-07-13T12:00:00Z').getHours('Europe/Berlin')", "14"},
             {"timestamp('2009-01-13T12:00:00Z').getHours('Europe/Berlin')", "13"},
             {"timestamp('2050-07-01T12:00:00Z').getHours('Europe/Berlin')", "14"},
             {"timestamp('2050-01-01T12:00:00Z').getHours('Europe/Berlin')", "13"},
             {"timestamp('2050-07-01T12:00:00Z').getHours('America/New_York')", "8"},
             {"timestamp('9999-12-31T23:59:59Z').getDate('America/New_York')", "31"},
             {"timestamp('0001-01-01T00:00:00Z').getFullYear('-01:00')", "0"}});
}

TEST_CASE("a duration is counted in whole units", "[expr][time]") {
  check_all({
      {"duration('10000s').getHours()", "2"},
      {"duration('3730s').getMinutes()", "62"},
      {"duration('3730.9s').getSeconds()", "3730"},
      {"duration('123.321456789s').getMilliseconds()", "321"},
      {"duration('-90s').getMinutes()", "-1"},
      {"duration('1s').getFullYear()", "error: no matching overload"},
      {"duration('1s').getHours('UTC')", "error: no matching overload"},
  });
}
