#pragma once

#include "agent/connectors/remote/files.h"
#include "shared/base/value.h"

#include <functional>
#include <string>
#include <vector>

namespace sallyport::connectors::remote {

struct Listing {
  std::string pattern = "*";
  std::size_t limit = 1'000;                                // of more that match the first by name are given
  std::function<bool(const std::string& path)> wants = {};  // which of those that match; empty: all
};

struct Found {
  std::vector<platform::DirectoryEntry> files;  // paths below the root, sorted
  std::size_t skipped = 0;                      // others whose names no recipe can write down
  bool over_limit = false;
};

// The regular, not hidden files of a directory. Memory never holds more than the limit, however many the server lists;
// more than a million, of whatever kind, are class "too_large".
StepResult<Found> list_files(Files& files, const std::string& directory, const Listing& listing,
                             const CallLimits& limits);

// `path`, `name`, `size` and `mtime` (RFC 3339), for steps and triggers.
Value describe(const platform::DirectoryEntry& file);

}  // namespace sallyport::connectors::remote
