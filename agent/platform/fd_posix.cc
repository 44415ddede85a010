#include "agent/platform/fd.h"

#include <unistd.h>

namespace sallyport::platform {

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace sallyport::platform
