#pragma once

#include "relay/archive/place.h"

#include <filesystem>

namespace sallyport::archive {

// A directory of this user alone (0700). An object is a file (0600) that appears whole or not at all.
// Errc::invalid: not an absolute path. Errc::forbidden: it may be read by others (with the chmod to run).
Result<std::unique_ptr<Place>> make_directory_place(std::filesystem::path root);

}  // namespace sallyport::archive
