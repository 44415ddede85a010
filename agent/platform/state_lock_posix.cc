#include "agent/platform/os_error.h"
#include "agent/platform/state_lock.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sallyport::platform {
namespace {

std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const auto got = ::pread(fd, text.data(), text.size(), 0);
  std::string holder(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return holder.find_first_not_of("0123456789") == std::string::npos && !holder.empty() ? holder : "unknown";
}

}  // namespace

Result<StateLock> StateLock::take(const std::string& directory) {
  const auto path = directory + "/agent.lock";
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return os_fail("opening " + path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return os_fail("locking " + path);
    return fail(
        Errc::conflict,
        fmt::format(
            "another agent (process {}) uses the state directory {}; stop it, or give this one a state_dir of its own",
            holder_of(file.get()), directory));
  }
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
    return os_fail("writing " + path);
  return StateLock(std::move(file));
}

}  // namespace sallyport::platform
