#include "shared/base/host.h"

#include <catch2/catch.hpp>

#include <string>

using namespace sallyport;

TEST_CASE("a host has one form", "[host]") {
  struct Row {
    std::string given, canonical;
  };
  const std::string label(63, 'a');
  const auto row = GENERATE_COPY(values<Row>({
      {"db.internal", "db.internal"},
      {"DB.Internal", "db.internal"},
      {"db_1-a", "db_1-a"},
      {"7even", "7even"},
      {"x.0xy.z", "x.0xy.z"},
      {"10.0.0.7", "10.0.0.7"},
      {label + "." + label, label + "." + label},
      {"::1", "::1"},
      {"0:0:0:0:0:0:0:1", "::1"},
      {"2001:DB8:0:0:1::1", "2001:db8::1:0:0:1"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"::FFFF:10.0.0.1", "::ffff:10.0.0.1"},
  }));
  INFO(row.given);
  const auto host = canonical_host(row.given);
  REQUIRE(host);
  CHECK(*host == row.canonical);
  CHECK(canonical_host(*host) == host);
}

TEST_CASE("what no host is", "[host]") {
  struct Row {
    std::string given, why;
  };
  const auto row = GENERATE(values<Row>({
      {"", "empty"},
      {std::string(254, 'a'), "253"},
      {std::string(64, 'a'), "63"},
      {".db", "before or behind"},
      {"db.", "before or behind"},
      {"db..internal", "before or behind"},
      {"db internal", "a character"},
      {"db\ninternal", "a character"},
      {std::string("db\0x", 4), "a character"},
      {"d\xc3\xa4"
       "b",
       "a character"},
      {"user@db", "a character"},
      {"db/x", "a character"},
      {"127.1", "four decimal numbers"},
      {"2130706433", "four decimal numbers"},
      {"0x7f000001", "four decimal numbers"},
      {"0x7f.0.0.0x1", "four decimal numbers"},
      {"010.0.0.1", "four decimal numbers"},
      {"10.0.0.256", "four decimal numbers"},
      {"a.5", "four decimal numbers"},
      {"1:2", "IPv6"},
      {":::", "IPv6"},
      {"fe80::1%eth0", "IPv6"},
      {"1.2.3.4:5", "IPv6"},
      {std::string("::1\0x", 5), "a character"},
  }));
  INFO(row.given);
  const auto host = canonical_host(row.given);
  REQUIRE_FALSE(host);
  CHECK(host.error().code == Errc::invalid);
  CHECK_THAT(host.error().message, Catch::Contains(row.why));
}
