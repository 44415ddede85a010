#pragma once

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
  static Result<DataLock> take(const DataDirectory& data);

  // Who holds it, after take() said conflict; nothing when it has not said so.
  static std::optional<int> holder(const DataDirectory& data);

  DataLock(DataLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  DataLock& operator=(DataLock&& other) = delete;
  ~DataLock();

 private:
  explicit DataLock(int file) : file_(file) {}
  int file_;
};

}  // namespace sallyport::app
