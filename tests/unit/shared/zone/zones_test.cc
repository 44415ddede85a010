#include "shared/zone/zones.h"

#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <ctime>

using namespace sallyport;
using namespace std::chrono_literals;
using Catch::Contains;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

namespace {

constexpr auto kMachine = "/usr/share/zoneinfo";

// The C library's idea of a zone's offset.
std::chrono::seconds offset_of_libc(const std::string& zone, sys_seconds at) {
  setenv("TZ", zone.c_str(), 1);
  tzset();
  const std::time_t time = at.time_since_epoch().count();
  std::tm broken_down{};
  localtime_r(&time, &broken_down);
  unsetenv("TZ");
  return std::chrono::seconds(broken_down.tm_gmtoff);
}

sys_seconds utc(int year, unsigned month, unsigned day, std::chrono::hours hour) {
  return sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) + hour;
}

// Winter and summer, past and far.
void check_known_offsets(const Zones& zones) {
  const auto offset = [&](std::string_view name, int year, unsigned month) {
    const auto zone = zones.find(name);
    REQUIRE(zone);
    return (*zone)->stretch(utc(year, month, 15, 12h)).offset;
  };
  for (const int year : {2009, 2026, 2037, 2038, 2050, 9999}) {
    INFO(year);
    CHECK(offset("Europe/Berlin", year, 1) == 1h);
    CHECK(offset("Europe/Berlin", year, 7) == 2h);
    CHECK(offset("America/New_York", year, 1) == -5h);
    CHECK(offset("America/New_York", year, 7) == -4h);
    CHECK(offset("Australia/Sydney", year, 1) == 11h);
    CHECK(offset("Australia/Sydney", year, 7) == 10h);
    CHECK(offset("Asia/Kolkata", year, 7) == 5h + 30min);
  }
  CHECK(offset("Europe/Berlin", 1941, 1) == 2h);
}

}  // namespace

TEST_CASE("zones of this machine change their clocks also after 2037", "[zone]") {
  check_known_offsets(system_zones());
}

TEST_CASE("files that leave everything to the rule give the same", "[zone]") {
  const std::string source = std::string(kMachine) + "/tzdata.zi", zic = "/usr/sbin/zic";
  if (!std::filesystem::exists(source) || !std::filesystem::exists(zic)) {
    WARN("no zic or no tzdata.zi on this machine: not tested");
    return;
  }
  const test::TempDir folder;
  const auto command = zic + " -b slim -d " + folder.path() + " " + source + " 2>/dev/null";
  REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(cert-env33-c): a fixed command
  REQUIRE(std::filesystem::file_size(std::filesystem::path(folder.path("Europe/Berlin"))) <
          std::filesystem::file_size(std::filesystem::path(kMachine) / "Europe/Berlin"));
  check_known_offsets(Zones(folder.path()));
}

TEST_CASE("every kind of rule agrees with the C library", "[zone]") {
  for (const std::string name :
       {"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Nuuk", "America/St_Johns", "Asia/Gaza",
        "Asia/Jerusalem", "Africa/Casablanca", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tehran",
        "America/Sao_Paulo", "Antarctica/Troll", "Pacific/Chatham", "America/Santiago", "EST5EDT", "Etc/GMT+5"}) {
    const auto zone = system_zones().find(name);
    INFO(name);
    REQUIRE(zone);
    auto at = utc(1890, 1, 1, 0h);
    for (std::uint64_t seed = 7; at < utc(2110, 1, 1, 0h); seed = seed * 6364136223846793005u + 1442695040888963407u) {
      at += std::chrono::seconds((seed >> 33) % (86'400 * 20));
      const auto found = (*zone)->stretch(at);
      INFO(at.time_since_epoch().count());
      REQUIRE(found.offset == offset_of_libc(name, at));
      REQUIRE((found.begin <= at && at < found.end));
      if (found.end != sys_seconds::max()) REQUIRE((*zone)->stretch(found.end).begin == found.end);
    }
  }
}

TEST_CASE("a zone is known by its name only", "[zone]") {
  for (auto name : {"", "Berlin", "europe/berlin", "CEST", "/etc/passwd", "../../etc/passwd", "Europe/Berlin ",
                    "Europe", "tzdata.zi", "localtime", "posixrules", "Europe//Atlantis"}) {
    INFO(name);
    const auto zone = system_zones().find(name);
    REQUIRE_FALSE(zone);
    CHECK(zone.error().code == Errc::not_found);
  }
  CHECK(*system_zones().find("Europe/Berlin") == *system_zones().find("Europe/Berlin"));
}

TEST_CASE("a machine without time zone data says so and still knows UTC", "[zone]") {
  const test::TempDir empty;
  for (const auto& folder : {empty.path(), empty.path("absent")}) {
    const Zones zones(folder);
    CHECK(zones.find("UTC"));
    const auto berlin = zones.find("Europe/Berlin");
    REQUIRE_FALSE(berlin);
    CHECK(berlin.error().code == Errc::unavailable);
    CHECK_THAT(berlin.error().message, Contains("no time zone data on this machine"));
  }
  empty.write("Broken", "TZif2");
  const auto broken = Zones(empty.path()).find("Broken");
  REQUIRE_FALSE(broken);
  CHECK_THAT(broken.error().message, Contains("cut off"));
}
