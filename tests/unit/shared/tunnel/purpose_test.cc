#include "shared/tunnel/purpose.h"

#include "shared/mux/frame.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using tunnel::Target;

TEST_CASE("a target is read in its one form and written back", "[tunnel]") {
  struct Row {
    std::string given;
    Target target;
    std::string text;
  };
  const auto row = GENERATE(values<Row>({
      {"db.internal:5432", {"db.internal", 5432}, "db.internal:5432"},
      {"DB.Internal:1", {"db.internal", 1}, "db.internal:1"},
      {"10.0.0.7:22", {"10.0.0.7", 22}, "10.0.0.7:22"},
      {"[2001:DB8::1]:443", {"2001:db8::1", 443}, "[2001:db8::1]:443"},
      {"[0:0::1]:65535", {"::1", 65535}, "[::1]:65535"},
      {std::string(60, 'a') + ":80", {std::string(60, 'a'), 80}, std::string(60, 'a') + ":80"},
  }));
  INFO(row.given);
  const auto target = tunnel::parse_target(row.given);
  REQUIRE(target);
  CHECK(*target == row.target);
  CHECK(to_string(*target) == row.text);
  CHECK(tunnel::parse_target(row.text) == target);
}

TEST_CASE("what is no target", "[tunnel]") {
  struct Row {
    std::string given, why;
  };
  const auto row = GENERATE(values<Row>({
      {"", "the port is missing"},
      {"db", "the port is missing"},
      {"[::1]", "the port is missing"},
      {"[::1", "the port is missing"},
      {"[::1]443", "the port is missing"},
      {":80", "it is empty"},
      {"[]:80", "brackets are for IPv6"},
      {"[10.0.0.1]:80", "brackets are for IPv6"},
      {"::1:443", "1 to 65535"},
      {"2001:db8::1:443", "1 to 65535"},
      {"db:", "1 to 65535"},
      {"db:0", "1 to 65535"},
      {"db:080", "1 to 65535"},
      {"db:65536", "1 to 65535"},
      {"db:99999999999999999999", "1 to 65535"},
      {"db:+80", "1 to 65535"},
      {"db:-1", "1 to 65535"},
      {"db: 80", "1 to 65535"},
      {"db:80 ", "1 to 65535"},
      {"db:80:81", "1 to 65535"},
      {"d b:80", "a character"},
      {"127.1:80", "four decimal numbers"},
      {"[fe80::1%lo]:80", "IPv6"},
      {std::string(241, 'a') + ":80", "240 characters"},
  }));
  INFO(row.given);
  const auto target = tunnel::parse_target(row.given);
  REQUIRE_FALSE(target);
  CHECK(target.error().code == Errc::invalid);
  CHECK_THAT(target.error().message, Catch::Contains(row.why) && Catch::Contains("not a target"));
}

TEST_CASE("the longest target fits a channel's purpose", "[tunnel]") {
  std::string host;
  while (host.size() < tunnel::kMaxTargetHost) host += host.size() % 40 == 39 ? '.' : 'x';
  host.back() = 'x';
  const auto target = tunnel::parse_target(host + ":65535");
  REQUIRE(target);
  CHECK(purpose_of(tunnel::kTunnelService, *target) == "tunnel/1 " + host + ":65535");
  CHECK(purpose_of(tunnel::kTunnelService, *target).size() <= mux::kMaxText);
  CHECK(tunnel::purpose_of(tunnel::kReachService, {"::1", 5}) == "reach/1 [::1]:5");
}
