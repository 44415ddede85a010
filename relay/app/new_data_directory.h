#pragma once

#include "relay/app/data_lock.h"
#include "relay/app/settings.h"

#include <optional>

namespace sallyport::app {

// A data directory in the making. Everything is built in a folder of its own inside it (`.init`), and moved to its
// place when it is whole, relay.yaml last: a directory without relay.yaml is no relay. Whoever dies in between leaves
// nothing that hinders the next one, which clears the remains away; it holds the directory as a running relay does.
// Blocking.
class NewDataDirectory {
 public:
  // Makes the directory unless it is there, and private (0700). conflict: it holds a relay, or parts of one that were
  // not left by an unfinished init, or anything else but what a file system is made with (lost+found), or another
  // process holds it; forbidden: it is another user's. Nothing was touched then.
  static Result<NewDataDirectory> begin(const DataDirectory& target);

  NewDataDirectory(NewDataDirectory&& other) noexcept;
  NewDataDirectory& operator=(NewDataDirectory&&) = delete;
  ~NewDataDirectory();  // not finished: removes all that was built

  const DataDirectory& building() const { return building_; }
  // Puts everything into its place. Durable when it returns.
  Result<void> finish();

 private:
  NewDataDirectory(DataDirectory target, DataLock lock);

  DataDirectory target_;
  DataDirectory building_;
  std::optional<DataLock> lock_;  // nothing: finished, or moved from
};

}  // namespace sallyport::app
