#pragma once

#include "relay/app/settings.h"

#include <filesystem>

namespace sallyport::app {

// Relative paths in `settings` count from `folder`, where relay.yaml is. Absolute ones stay. What may not lie there
// (backups of keys, archives, organisations' keys) was refused unless it is absolute.
void count_paths_from(const std::filesystem::path& folder, Settings& settings);

}  // namespace sallyport::app
