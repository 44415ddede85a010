#pragma once

#include "shared/zone/time_zone.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace sallyport {

// Time zones by their names in the IANA data base ("Europe/Berlin"), from a folder of TZif files. A zone is read when
// it is first asked for and then kept as it was, for as long as this lives: the same name never means two things. "UTC"
// is there without any file. Thread-safe.
class Zones {
 public:
  explicit Zones(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Errc::not_found: no zone of this name; Errc::unavailable: the folder holds no time zone data at all;
  // Errc::invalid: the file is broken. Messages do not repeat the name. The pointer is never null.
  Result<const TimeZone*> find(std::string_view name) const;

 private:
  Result<TimeZone> read(std::string_view name) const;

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::unique_ptr<const TimeZone>, std::less<>> known_;
};

// Those of this machine, as constant as its locale: the expression language and schedules are defined over them.
const Zones& system_zones();

}  // namespace sallyport
