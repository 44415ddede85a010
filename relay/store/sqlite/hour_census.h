#pragma once

#include "relay/store/job_keys.h"

#include <filesystem>
#include <vector>

namespace sallyport::store {

// An hour of a lane under whose key there are keys of jobs.
struct NeededHour {
  OrgId org;
  RetentionLane lane;
  Hour hour = 0;
  std::int64_t jobs = 0;
};

// Which hours' keys the jobs in relay.db need, of all organisations, oldest first. Blocking. Only reads. unavailable:
// the file cannot be read, or is of a relay of another version.
Result<std::vector<NeededHour>> count_needed_hours(const std::filesystem::path& file);

}  // namespace sallyport::store
