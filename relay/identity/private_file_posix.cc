#include "relay/identity/private_file.h"

#include "shared/base/descriptor_posix.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

namespace sallyport::identity {
namespace {

constexpr std::size_t kMaxFile = 64u << 10;
constexpr std::chrono::milliseconds kBetweenTries{10};

std::unexpected<Error> failed(std::string_view what, const std::filesystem::path& path) {
  const auto code = errno == ENOENT ? Errc::not_found : Errc::unavailable;
  return fail(code, fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(errno)));
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return failed("syncing", directory);
  return {};
}

}  // namespace

Result<void> replace_file(const std::filesystem::path& path, std::string_view content, Readers readers) {
  const auto fresh = path.string() + ".new";
  ::unlink(fresh.c_str());
  {
    const mode_t mode = readers == Readers::owner ? 0600 : 0644;
    const Descriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd) return failed("making", fresh);
    if (::fchmod(fd.get(), mode) != 0 || !write_all(fd.get(), content) || ::fsync(fd.get()) != 0) {
      return failed("writing", fresh);
    }
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("replacing", path);
  return sync_directory(path.parent_path());
}

Result<void> FileChanges::replace(const std::filesystem::path& path, std::string_view content, Readers readers) {
  return replace_file(path, content, readers);
}

Result<void> FileChanges::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("renaming", from);
  return sync_directory(to.parent_path());
}

Result<void> FileChanges::remove(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("removing", path);
  return sync_directory(path.parent_path());
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<DirectoryLock> DirectoryLock::take(const std::filesystem::path& directory, std::chrono::milliseconds patience) {
  DirectoryLock lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.fd_ < 0) return failed("opening", directory);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return failed("locking", directory);
    if (std::chrono::steady_clock::now() >= until)
      return fail(Errc::timed_out, "another process changes " + directory.string() + ": try again when it is done");
    std::this_thread::sleep_for(kBetweenTries);
  }
  return lock;
}

Result<Secret> read_file(const std::filesystem::path& path, Readers readers) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return failed("opening", path);
  struct stat facts{};
  if (::fstat(fd.get(), &facts) != 0) return failed("looking at", path);
  if (!S_ISREG(facts.st_mode)) return fail(Errc::invalid, path.string() + " is not a regular file");
  if (readers == Readers::owner && (facts.st_mode & 077) != 0) {
    return fail(Errc::forbidden, fmt::format("{} may be read by others: chmod 600 it", path.string()));
  }
  if (facts.st_size > static_cast<off_t>(kMaxFile)) return fail(Errc::too_large, path.string() + " is over 64 KiB");
  std::string content(static_cast<std::size_t>(facts.st_size), '\0');
  for (std::size_t at = 0; at < content.size();) {
    const auto got = ::read(fd.get(), content.data() + at, content.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failed("reading", path);
    at += static_cast<std::size_t>(got);
  }
  return Secret::take(content);
}

Result<void> make_private_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed("making", path);
  return {};
}

}  // namespace sallyport::identity
