#include "agent/platform/file_lock.h"
#include "agent/platform/os_error.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace sallyport::platform {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{20};  // flock() has no deadline

}  // namespace

Result<FileLock> FileLock::take(const std::string& path, SteadyTime deadline, const std::stop_token& stop) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return os_fail("opening " + path);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return os_fail("locking " + path);
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
    if (std::chrono::steady_clock::now() >= deadline) return fail(Errc::timed_out, path + " is held by somebody else");
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return FileLock(std::move(file));
}

}  // namespace sallyport::platform
