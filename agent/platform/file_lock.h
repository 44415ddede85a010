#pragma once

#include "agent/platform/fd.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <stop_token>
#include <string>

namespace sallyport::platform {

// Holds a file for one thread of one process; the kernel lets go of it when the process ends, however it ends.
class FileLock {
 public:
  // Makes the file, of mode 0600, when it is absent, and waits until nobody else holds it. Errc::timed_out, cancelled.
  static Result<FileLock> take(const std::string& path, SteadyTime deadline, const std::stop_token& stop);

 private:
  explicit FileLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace sallyport::platform
