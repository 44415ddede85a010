#include "shared/zone/zones.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace sallyport {
namespace {

constexpr std::size_t kMaxName = 64;
// Entries of the folder that are no names of the data base; what "localtime" means differs from machine to machine.
constexpr std::array<std::string_view, 2> kNoZones = {"localtime", "posixrules"};

bool is_zone_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= kMaxName && name.front() != '/' && std::ranges::all_of(name, is_allowed) &&
         std::ranges::find(kNoZones, name) == kNoZones.end();
}

std::unexpected<Error> unknown() {
  return fail(Errc::not_found, "unknown time zone: use a name such as Europe/Berlin");
}

}  // namespace

Result<const TimeZone*> Zones::find(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  if (const auto found = known_.find(name); found != known_.end()) return found->second.get();
  SP_TRY(auto made, read(name));
  return known_.emplace(name, std::make_unique<const TimeZone>(std::move(made))).first->second.get();
}

Result<TimeZone> Zones::read(std::string_view name) const {
  if (name == "UTC" || name == "Etc/UTC") return TimeZone::utc();
  if (!is_zone_name(name)) return unknown();
  std::error_code ignored;
  const auto path = folder_ / name;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    if (std::filesystem::is_directory(folder_, ignored) && !std::filesystem::is_empty(folder_, ignored))
      return unknown();
    return fail(Errc::unavailable, "no time zone data on this machine: install it (the package tzdata), or use UTC");
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes(TimeZone::kMaxFile + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  if (!bytes.starts_with("TZif")) return unknown();
  return TimeZone::parse(bytes);
}

const Zones& system_zones() {
  static const Zones kZones("/usr/share/zoneinfo");
  return kZones;
}

}  // namespace sallyport
