#pragma once

#include "relay/app/lock_note.h"
#include "relay/app/settings.h"
#include "shared/base/result.h"

#include <optional>
#include <utility>

namespace sallyport::app {

// Holds a data directory for one process: two relays on one database would dispatch every job twice. The kernel lets go
// of it when the process ends, however it ends.
class DataLock {
 public:
  // The directory must exist. Errc::conflict, with the other process's id and what to do, when somebody else holds it.
  // `reload`: what this process does on SIGHUP, from now on.
  static Result<DataLock> take(const DataDirectory& data, Reload reload = Reload::not_offered);

  // What its holder says of itself, after take() said conflict; nothing when it does not say all of it.
  static std::optional<LockNote> holder(const DataDirectory& data);

  DataLock(DataLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  DataLock& operator=(DataLock&& other) = delete;
  ~DataLock();

 private:
  explicit DataLock(int file) : file_(file) {}
  int file_;
};

}  // namespace sallyport::app
