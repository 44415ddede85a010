#pragma once

#include "agent/connectors/step_error.h"
#include "agent/platform/beneath.h"

#include <functional>
#include <string>
#include <vector>

namespace sallyport::connectors::file {

// Only files that match count against the limit, however many others there are.
struct Listing {
  // What becomes of more: class "too_large", only the first by path are given, or only the newest. What cannot be
  // looked into below the first directory is told besides when the newest are wanted, and fails otherwise.
  enum class Over { fails, gives_first, gives_newest };

  std::string pattern = "*";
  int depth = 0;  // of directories below the first that are looked into
  std::size_t limit = 10'000;
  Over over = Over::fails;
  std::function<bool(const std::string& path)> wants = {};  // which of those that match; empty: all
};

struct Found {
  std::vector<platform::DirectoryEntry> files;
  std::vector<std::string> skipped;  // paths that are not UTF-8, escaped: no recipe can name them
  std::vector<std::string> closed;   // directories that could not be looked into: path and reason
  bool over_limit = false;           // others were left out
};

// Regular, not hidden files whose names match, with their paths below the root as names, sorted. Directories that
// vanish meanwhile are left out. Where more fail the limit counts what is skipped too; memory never holds more than the
// limit of either.
StepResult<Found> list_files(const platform::Root& root, const std::string& path, const Listing& listing);

}  // namespace sallyport::connectors::file
