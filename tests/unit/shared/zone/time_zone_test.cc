#include "shared/zone/time_zone.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace sallyport;
using namespace std::chrono_literals;
using Catch::Contains;
using std::chrono::sys_seconds;

namespace {

std::string big_endian(std::int64_t value, std::size_t size) {
  std::string bytes;
  for (auto i = size; i-- > 0;) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

struct File {
  char version = '2';
  std::vector<std::int64_t> times;
  std::string kinds;                        // one byte for each time
  std::vector<std::int64_t> offsets = {0};  // one for each type
  std::int64_t leaps = 0;
  std::string footer = "\nCET-1CEST,M3.5.0,M10.5.0/3\n";

  std::string block(std::size_t time_size) const {
    std::string out = std::string("TZif") + version + std::string(15, '\0');
    for (const auto count : {std::int64_t{0}, std::int64_t{0}, leaps, static_cast<std::int64_t>(times.size()),
                             static_cast<std::int64_t>(offsets.size()), std::int64_t{4}})
      out += big_endian(count, 4);
    for (const auto time : times) out += big_endian(time, time_size);
    out += kinds;
    for (const auto offset : offsets) out += big_endian(offset, 4) + std::string(2, '\0');
    return out + std::string("ABC\0", 4);
  }
  std::string bytes() const { return version == '\0' ? block(4) : block(4) + block(8) + footer; }
};

std::string refused(const File& file) {
  const auto zone = TimeZone::parse(file.bytes());
  return zone ? "accepted" : zone.error().message;
}

sys_seconds at(std::int64_t seconds) { return sys_seconds(std::chrono::seconds(seconds)); }

}  // namespace

TEST_CASE("transitions count up to the last one, then the rule", "[zone]") {
  const File file{.times = {1000, 2000}, .kinds = std::string("\1\0", 2), .offsets = {600, 7200}};
  const auto zone = TimeZone::parse(file.bytes());
  REQUIRE(zone);
  CHECK(zone->stretch(at(999)) == ZoneStretch{.end = at(1000), .offset = 10min});
  CHECK(zone->stretch(at(1000)) == ZoneStretch{.begin = at(1000), .end = at(2000), .offset = 2h});
  const auto first = zone->stretch(at(2000));  // January 1970, winter by the rule
  CHECK(first.begin == at(2000));
  CHECK(first.offset == 1h);
  CHECK(zone->stretch(first.end).offset == 2h);
  CHECK(zone->stretch(first.end).begin == first.end);
}

TEST_CASE("without a rule the last offset holds", "[zone]") {
  const File file{.times = {1000}, .kinds = "\1", .offsets = {0, -3600}, .footer = "\n\n"};
  CHECK(TimeZone::parse(file.bytes())->stretch(at(1'000'000'000'000)) == ZoneStretch{.begin = at(1000), .offset = -1h});
  const File old{.version = '\0', .times = {1000}, .kinds = "\1", .offsets = {0, -3600}};
  CHECK(TimeZone::parse(old.bytes())->stretch(at(5000)) == ZoneStretch{.begin = at(1000), .offset = -1h});
  const File only_rule{.offsets = {0}};
  CHECK(TimeZone::parse(only_rule.bytes())->stretch(at(0)).offset == 1h);
  CHECK(TimeZone::utc().stretch(at(0)) == ZoneStretch{});
}

TEST_CASE("broken time zone data is refused", "[zone]") {
  CHECK_THAT(refused({.footer = "\nnonsense\n"}), Contains("rule at the end is not understood"));
  CHECK_THAT(refused({.footer = ""}), Contains("rule at the end is missing"));
  CHECK_THAT(refused({.offsets = {}}), Contains("no local time type"));
  CHECK_THAT(refused({.times = {5, 4}, .kinds = std::string(2, '\0')}), Contains("not in order"));
  CHECK_THAT(refused({.times = {5}, .kinds = "\7"}), Contains("no known type"));
  CHECK_THAT(refused({.offsets = {26 * 3600}}), Contains("out of range"));
  CHECK_THAT(refused({.leaps = -1}), Contains("out of range"));
  CHECK_FALSE(TimeZone::parse("TZif2"));
  CHECK(TimeZone::parse(std::string(TimeZone::kMaxFile + 1, 'x')).error().code == Errc::too_large);
  const auto whole = File{.times = {5}, .kinds = std::string(1, '\0')}.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut after byte " << size);
    CHECK_FALSE(TimeZone::parse(whole.substr(0, size)));
  }
  CHECK(TimeZone::parse(whole));
}
