#include "relay/domain/retention.h"

#include <catch2/catch.hpp>

#include <random>

using namespace sallyport;
using namespace sallyport::domain;
using namespace std::chrono_literals;

namespace {

constexpr auto kPayload = RetentionClass::payload;
constexpr auto kLogs = RetentionClass::logs;

// What is wrong with `text`; "" when nothing is.
std::string fault(RetentionLevel level, RetentionClass one, std::string_view text) {
  const auto parsed = parse_retention(level, one, text);
  return parsed ? "" : parsed.error().message;
}

RetentionLimits payload_of(Hours kept) {
  RetentionLimits limits;
  limits[kPayload] = kept;
  return limits;
}

}  // namespace

TEST_CASE("retention classes read back, and a misspelt one is told the nearest", "[domain][retention]") {
  for (const auto one : kRetentionClasses) CHECK(parse_retention_class(to_string(one)) == one);
  CHECK(parse_retention_class("payloads").error().message.find("did you mean payload?") != std::string::npos);
  CHECK(parse_retention_class("").error().code == Errc::invalid);
}

TEST_CASE("what is kept when nobody said anything", "[domain][retention]") {
  const RetentionLevels nothing;
  CHECK(effective(kPayload, nothing) == 45 * 24h);
  CHECK(effective(kLogs, nothing) == 14 * 24h);
  CHECK(effective(RetentionClass::server_logs, nothing) == 30 * 24h);
  CHECK(effective(RetentionClass::audit, nothing) == 365 * 24h);
  CHECK(effective(RetentionClass::archive, nothing) == kMostRetention);
  CHECK(effective(nothing, AskedRetention{}) == JobRetention{});
}

TEST_CASE("durations of retention are whole hours from one hour to ten years", "[domain][retention]") {
  const auto read = [](std::string_view text) { return *parse_retention(RetentionLevel::platform, kLogs, text); };
  CHECK(read("1h") == 1h);
  CHECK(read("60m") == 1h);
  CHECK(read("36h") == 36h);
  CHECK(read("14d") == 336h);
  CHECK(read("3650d") == kMostRetention);
  for (const auto* text : {"1h", "36h", "14d", "3650d"}) CHECK(format_retention(read(text)) == text);
  CHECK(format_retention(24h) == "1d");
  for (const auto* text : {"59m", "0h", "0d", "3651d", "87601h", "999999999d"})
    CHECK(fault(RetentionLevel::platform, kLogs, text) != "");
  CHECK(fault(RetentionLevel::platform, kLogs, "90m") == "must be whole hours");
  CHECK(fault(RetentionLevel::platform, kLogs, "0h") == "must be from 1h to 3650d");
  for (const auto* text : {"", "14", "d", "-1d", "1.5d", " 1d", "1d ", "forever", "None", "1h30m"})
    CHECK(fault(RetentionLevel::platform, kLogs, text) == "must be a duration such as 36h or 14d");
}

TEST_CASE("only an organisation or a recipe keeps no payload, and nobody keeps no logs", "[domain][retention]") {
  CHECK(parse_retention(RetentionLevel::recipe, kPayload, "none") == kKeptNever);
  CHECK(parse_retention(RetentionLevel::organisation, kPayload, "none") == kKeptNever);
  CHECK(fault(RetentionLevel::platform, kPayload, "none").find("only an organisation or a recipe") !=
        std::string::npos);
  for (const auto one : kRetentionClasses) {
    if (one == kPayload) continue;
    for (const auto level : {RetentionLevel::platform, RetentionLevel::organisation, RetentionLevel::recipe})
      CHECK(fault(level, one, "none").find("only payload may be none") != std::string::npos);
  }
  CHECK(format_retention(kKeptNever) == "none");
}

TEST_CASE("a level sets what is its own", "[domain][retention]") {
  for (const auto one : kRetentionClasses) {
    CHECK(may_set(RetentionLevel::platform, one));
    CHECK(may_set(RetentionLevel::organisation, one) == (one != RetentionClass::server_logs));
    CHECK(may_set(RetentionLevel::recipe, one) == (one == kPayload || one == kLogs || one == RetentionClass::archive));
  }
}

TEST_CASE("the shortest of what is set is in effect, whatever the levels say", "[domain][retention]") {
  std::mt19937 random(20'261);
  const auto maybe = [&](Hours least) -> std::optional<Hours> {
    if (random() % 4 == 0) return std::nullopt;
    return least + Hours(random() % 3'000);
  };
  for (int round = 0; round < 20'000; ++round) {
    RetentionLevels levels;
    levels.platform[kPayload] = maybe(kLeastRetention);
    levels.organisation[kPayload] = maybe(kKeptNever);
    const auto recipe = maybe(kKeptNever);
    const Hours kept = effective(kPayload, levels, recipe);
    INFO("round " << round);
    REQUIRE(kept <= allowed_by(levels.platform, kPayload));
    if (levels.organisation[kPayload]) REQUIRE(kept <= *levels.organisation[kPayload]);
    if (recipe) REQUIRE(kept <= *recipe);
    const bool said =
        kept == allowed_by(levels.platform, kPayload) || kept == levels.organisation[kPayload] || kept == recipe;
    REQUIRE(said);
  }
}

TEST_CASE("a limit that is lowered later takes from what jobs got, one that is raised gives nothing back",
          "[domain][retention]") {
  const JobRetention got = effective(RetentionLevels{}, AskedRetention{.payload = 30 * 24h});
  CHECK(got == JobRetention{.payload = 30 * 24h, .logs = 14 * 24h});
  const JobRetention archived = effective(RetentionLevels{}, AskedRetention{.archive = 730 * 24h});
  CHECK(archived.archive == 730 * 24h);
  RetentionLevels shorter;
  shorter.organisation[RetentionClass::archive] = 100h;
  CHECK(effective(shorter, as_asked(archived)).archive == 100h);
  CHECK(effective(shorter, as_asked(got)).archive == kKeptNever);  // who asks for none gets none
  const RetentionLevels lowered{.organisation = payload_of(2h)};
  CHECK(effective(lowered, as_asked(got)) == JobRetention{.payload = 2h, .logs = 14 * 24h});
  const RetentionLevels raised{.platform = payload_of(kMostRetention), .organisation = payload_of(100 * 24h)};
  CHECK(effective(raised, as_asked(got)) == got);
}

TEST_CASE("a change shortens when any class is kept for less than before", "[domain][retention]") {
  const RetentionLevels usual;
  CHECK_FALSE(shortens(usual, usual));
  CHECK(shortens(usual, {.organisation = payload_of(30 * 24h)}));
  CHECK(shortens(usual, {.organisation = payload_of(kKeptNever)}));
  CHECK(shortens(usual, {.platform = payload_of(44 * 24h)}));
  CHECK_FALSE(shortens(usual, {.platform = payload_of(90 * 24h)}));
  CHECK_FALSE(shortens(usual, {.organisation = payload_of(45 * 24h)}));  // it said so, and nothing changes
  CHECK_FALSE(shortens({.organisation = payload_of(2h)}, usual));
  RetentionLevels both{.organisation = payload_of(45 * 24h)};
  both.organisation[kLogs] = 1h;
  CHECK(shortens(usual, both));
  const RetentionLevels raised{.platform = payload_of(90 * 24h)};
  CHECK(shortens(raised, usual));  // taking a limit away may shorten too
}

TEST_CASE("data is readable for all of its hours, and for less than one more", "[domain][retention]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 10'000; ++round) {
    const WallTime ended = from_unix_ms(static_cast<std::int64_t>(random() % 4'000'000'000'000));
    const Hours kept(1 + random() % 87'600);
    const auto expiry = expiry_of(ended, kept);
    REQUIRE(expiry);
    REQUIRE(*expiry >= ended + kept);
    REQUIRE(*expiry <= ended + kept + 1h);
    REQUIRE(unix_ms(*expiry) % 3'600'000 == 0);
  }
  const WallTime noon = from_unix_ms(1'700'006'400'000);
  CHECK(expiry_of(noon, 1h) == noon + 2h);  // of a whole hour that has just begun
  CHECK(expiry_of(noon + 1ms, 1h) == noon + 2h);
  CHECK_FALSE(expiry_of(noon, kKeptNever));
}

TEST_CASE("what recipes write in smaller units is never cut short", "[domain][retention]") {
  CHECK(to_hours(0ms) == kKeptNever);
  CHECK(to_hours(1ms) == 1h);
  CHECK(to_hours(60min) == 1h);
  CHECK(to_hours(90min) == 2h);
  CHECK(to_hours(14 * 24h) == 14 * 24h);
}
