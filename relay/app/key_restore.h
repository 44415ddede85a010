#pragma once

#include "relay/app/settings.h"

#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::app {

enum class Loss { refused, accepted };

// `sallyport-relay keys restore`: a backup of keys.db takes its place (docs/decisions/0038). The relay must not run.
// What there was is kept beside it, as keys.db.replaced. One that belongs to the anchor as it is gives back every key
// that it holds; of any other only the keys of standing fields are of use, which is a loss that has to be accepted:
// then also a new anchor is made where there is none. So does a backup have to be that lacks standing keys that
// relay.db says were used or attached (docs/decisions/0046). Whatever cuts it short, it is run again. What it did, and
// what cannot be read now.
Result<std::string> restore_keys(const DataDirectory& data, const std::filesystem::path& backup, Loss loss,
                                 const Clock& clock);

// Copies of keys that a restore left beside keys.db: what was there before, and what a restore that was killed wrote.
std::vector<std::filesystem::path> left_by_restore(const DataDirectory& data);

// The newest in the folder of backups. not_found: there is none.
Result<std::filesystem::path> newest_backup(const std::filesystem::path& folder);

}  // namespace sallyport::app
