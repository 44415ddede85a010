#include "shared/base/text.h"
#include "shared/base/ids.h"
#include "shared/base/log.h"
#include "shared/base/secret.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

TEST_CASE("base64 follows RFC 4648 and refuses what only looks like it", "[base]") {
  CHECK(base64(as_bytes("foobar")) == "Zm9vYmFy");
  CHECK(base64(as_bytes("foob")) == "Zm9vYg==");
  CHECK(base64url(as_bytes("\xFB\xFF")) == "-_8");
  CHECK(as_text(*from_base64("Zm9vYg==")) == "foob");
  CHECK(as_text(*from_base64url("-_8")) == "\xFB\xFF");
  for (auto bad : {"Zm9vYg=", "Zm9vYh==", "Zm 9vYg=", "Zm9vYg===", "Z"}) CHECK_FALSE(from_base64(bad));
  for (auto bad : {"-_9", "a", "+/8"}) CHECK_FALSE(from_base64url(bad));
}

TEST_CASE("points in time read back as written", "[base]") {
  const auto at = parse_rfc3339("2026-02-28T23:59:59.123Z");
  REQUIRE(at);
  CHECK(rfc3339(*at) == "2026-02-28T23:59:59.123Z");
  CHECK(parse_rfc3339("2026-03-01T01:29:59.123+01:30") == at);
  for (auto bad : {"2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z",
                   "2026-01-01", "2026-01-01T00:00:00+1:00"}) {
    INFO(bad);
    CHECK_FALSE(parse_rfc3339(bad));
  }
}

TEST_CASE("durations have one unit", "[base]") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("14d") == 336h);
  for (auto bad : {"", "5", "s", "-1s", "1.5s", "1h30m", "999999999999d"}) CHECK_FALSE(parse_duration(bad));
  CHECK(format_duration(5s) == "5s");
  CHECK(format_duration(90s) == "90s");
  CHECK(format_duration(336h) == "14d");
}

TEST_CASE("a misspelt word finds its neighbour, a strange one does not", "[base]") {
  const std::string_view words[] = {"timeout", "retry", "foreach"};
  CHECK(nearest("timout", words) == "timeout");
  CHECK(nearest("itmeout", words) == "timeout");
  CHECK(nearest("for_each", words) == "foreach");
  CHECK(nearest("TIMEOUT", words) == "timeout");
  CHECK_FALSE(nearest("zzzzzz", words));
  const std::string_view others[] = {"", "lowerAscii", "lowerascii"};
  CHECK(nearest("lowerASCII", others) == "lowerAscii");
  CHECK(nearest("lowerascii", others) == "lowerascii");
  CHECK_FALSE(nearest("x", others));
}

TEST_CASE("ids sort by time and are recognised", "[base]") {
  const auto early = make_ulid("job_", 1'000, {}), late = make_ulid("job_", 1'001, {});
  CHECK(early < late);
  CHECK(is_ulid(early, "job_"));
  CHECK_FALSE(is_ulid(early, "org_"));
  CHECK_FALSE(is_ulid("job_01ARZ3NDEKTSV4RRFFQ69G5FAU' or 1=1", "job_"));
  // The example of the ULID specification: 1469918176385 ms.
  CHECK(make_ulid("", 1'469'918'176'385, {}).substr(0, 10) == "01ARYZ6S41");
}

TEST_CASE("a secret is wiped from its source and moves without a copy", "[base]") {
  std::string source = "a secret that is longer than the small buffer";
  Secret secret = Secret::take(source);
  CHECK(source.empty());
  Secret moved = std::move(secret);
  CHECK(moved.reveal() == "a secret that is longer than the small buffer");
  static_assert(!std::is_copy_constructible_v<Secret> &&
                !std::is_constructible_v<LogField, const char*, const Secret&>);
}
