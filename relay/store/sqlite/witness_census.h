#pragma once

#include "relay/store/key_witnesses.h"

#include <filesystem>
#include <vector>

namespace sallyport::store {

// What keys.db must hold according to relay.db: all of it. Blocking. Only reads. None: relay.db is of an earlier
// version, which did not say. unavailable: the file cannot be read.
Result<std::vector<WitnessedKeys>> read_key_witnesses(const std::filesystem::path& file);

}  // namespace sallyport::store
