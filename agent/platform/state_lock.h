#pragma once

#include "agent/platform/fd.h"
#include "shared/base/result.h"

#include <string>

namespace sallyport::platform {

// Holds a state directory for one process; the kernel lets go of it when the process ends, however it ends.
class StateLock {
 public:
  // Errc::conflict, with the other process's id, when somebody else holds it.
  static Result<StateLock> take(const std::string& directory);

 private:
  explicit StateLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace sallyport::platform
