#pragma once

#include "relay/app/settings.h"

#include <filesystem>

namespace sallyport::app {

// Relative paths in `settings` count from `folder`, where relay.yaml is. Absolute ones stay, and so does the name of a
// PKCS#11 module without a slash, which p11-kit looks for. What may not lie there (backups of keys, organisations'
// keys) was refused unless it is absolute.
void count_paths_from(const std::filesystem::path& folder, Settings& settings);

}  // namespace sallyport::app
