#pragma once

#include "relay/store/job_keys.h"
#include "relay/store/key_witnesses.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

// What keys.db must hold according to relay.db, for who restores it while no relay runs. Blocking. Only reads. Errors
// of all: unavailable: the file cannot be read, or is of a relay of another version.
namespace sallyport::store {

// An hour of a lane under whose key there are keys of jobs.
struct NeededHour {
  OrgId org;
  RetentionLane lane;
  Hour hour = 0;
  std::int64_t jobs = 0;
};

// Which hours' keys the jobs need, of all organisations, oldest first.
Result<std::vector<NeededHour>> count_needed_hours(const std::filesystem::path& file);

// Which standing keys are needed. None: relay.db is of an earlier version, which did not say.
Result<std::vector<WitnessedKeys>> read_key_witnesses(const std::filesystem::path& file);

// What people call the organisations.
Result<std::map<OrgId, std::string>> read_organisation_names(const std::filesystem::path& file);

}  // namespace sallyport::store
