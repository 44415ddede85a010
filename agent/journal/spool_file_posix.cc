#include "agent/journal/spool_file.h"

#include "agent/platform/os_error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sallyport::journal {

Result<void> make_spool_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return platform::os_fail("making a folder of the spool");
  return {};
}

Result<platform::Fd> create_spool_file(const std::filesystem::path& file) {
  platform::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return platform::os_fail("creating a spool file");
  return fd;
}

Result<platform::Fd> open_spool_file(const std::filesystem::path& file) {
  platform::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return platform::os_fail("opening a spool file");
  return fd;
}

Result<void> append(const platform::Fd& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return platform::os_fail("writing a spool file");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::size_t> read_up_to(const platform::Fd& file, std::span<std::byte> into) {
  std::size_t total = 0;
  while (total < into.size()) {
    const ssize_t got = ::read(file.get(), into.data() + total, into.size() - total);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return platform::os_fail("reading a spool file");
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

void start_writing_out([[maybe_unused]] const platform::Fd& file) {
#ifdef SYNC_FILE_RANGE_WRITE
  (void)::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);  // where it cannot, synchronise() does it all
#endif
}

Result<void> synchronise(const platform::Fd& file) {
  if (::fdatasync(file.get()) != 0) return platform::os_fail("synchronising a spool file");
  return {};
}

Result<void> synchronise_folder(const std::filesystem::path& folder) {
  const platform::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return platform::os_fail("synchronising the spool's folder");
  return {};
}

}  // namespace sallyport::journal
