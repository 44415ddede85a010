#include "agent/platform/fd_io.h"
#include "agent/platform/os_error.h"

#include <unistd.h>

#include <cerrno>

namespace sallyport::platform {

Result<std::size_t> read_some(int fd, std::span<std::byte> into) {
  for (;;) {
    const auto got = ::read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return os_fail("reading a file");
  }
}

Result<std::size_t> read_at(int fd, std::uint64_t offset, std::span<std::byte> into) {
  for (;;) {
    const auto got = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return os_fail("reading a file");
  }
}

Result<void> write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return os_fail("writing a file");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace sallyport::platform
