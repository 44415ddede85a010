#include "relay/app/data_lock.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace sallyport::app {
namespace {

std::unexpected<Error> os_fault(std::string_view doing, const std::filesystem::path& file) {
  const auto why = std::generic_category().message(errno);
  return fail(Errc::unavailable, fmt::format("{} {}: {}", doing, file.string(), why));
}

std::string holder_of(int file) {
  std::array<char, 32> text{};
  const auto got = ::pread(file, text.data(), text.size(), 0);
  const std::string holder(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const bool is_pid = !holder.empty() && holder.find_first_not_of("0123456789") == std::string::npos;
  return is_pid ? holder : "unknown";
}

}  // namespace

DataLock::~DataLock() {
  if (file_ >= 0) ::close(file_);
}

std::optional<int> DataLock::holder(const DataDirectory& data) {
  const int file = ::open(data.lock().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return std::nullopt;
  const auto text = holder_of(file);
  ::close(file);
  int pid = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), pid);
  return problem == std::errc() && pid > 1 ? std::optional(pid) : std::nullopt;
}

Result<DataLock> DataLock::take(const DataDirectory& data) {
  const auto path = data.lock();
  DataLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.file_ < 0) {
    const bool shut_out = errno == EACCES || errno == EPERM;
    auto refused = os_fault("cannot open the lock", path);
    if (shut_out) refused.error().message += "; run this as the user that the data directory belongs to";
    return refused;
  }
  if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return os_fault("cannot lock", path);
    return fail(Errc::conflict,
                fmt::format("another process ({}) uses the data directory {}; stop it, or give this one a "
                            "directory of its own",
                            holder_of(lock.file_), data.root.string()));
  }
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(lock.file_, 0) != 0 || ::pwrite(lock.file_, pid.data(), pid.size(), 0) < 0) {
    return os_fault("cannot write", path);
  }
  return lock;
}

}  // namespace sallyport::app
