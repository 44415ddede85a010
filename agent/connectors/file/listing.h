#pragma once

#include "agent/connectors/step_error.h"
#include "agent/platform/beneath.h"

#include <string>
#include <vector>

namespace sallyport::connectors::file {

struct Listing {
  std::string pattern = "*";
  int depth = 0;  // of directories below the first that are looked into
  std::size_t limit = 10'000;
};

struct Found {
  std::vector<platform::DirectoryEntry> files;
  std::vector<std::string> skipped;  // paths that are not UTF-8, escaped: no recipe can name them
};

// Regular, not hidden files whose names match, with their paths below the root as names, sorted. Directories that
// vanish meanwhile are left out. Class "too_large" over the limit, which counts what is skipped too.
StepResult<Found> list_files(const platform::Root& root, const std::string& path, const Listing& listing);

}  // namespace sallyport::connectors::file
