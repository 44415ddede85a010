#include "relay/keys/private_file.h"

#include "shared/base/descriptor_posix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sallyport::keys {
namespace {

std::unexpected<Error> system_error(const std::filesystem::path& file, std::string_view what, Errc code) {
  return fail(code, fmt::format("{}: {}: {}", file.string(), what, std::generic_category().message(errno)));
}

Result<void> check_ownership(const std::filesystem::path& file, int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return system_error(file, "cannot examine the file", Errc::invalid);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid, fmt::format("{}: the file must be a regular file", file.string()));
  }
  if (status.st_uid != ::geteuid()) {
    return fail(Errc::invalid, fmt::format("{}: the file belongs to another user: run: chown {} {}", file.string(),
                                           ::geteuid(), file.string()));
  }
  if ((status.st_mode & 0077) != 0) {
    return fail(Errc::invalid, fmt::format("{}: the file is open to other users (mode {:04o}): run: chmod 600 {}",
                                           file.string(), status.st_mode & 07777, file.string()));
  }
  return {};
}

Result<Secret> read_whole(const std::filesystem::path& file, int fd, std::size_t most) {
  std::string buffer(most, '\0');
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(fd, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const auto problem = system_error(file, "cannot read the file", Errc::invalid);
      wipe(buffer.data(), buffer.size());
      return problem;
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  buffer.resize(size);
  return Secret::take(buffer);
}

Result<void> write_at(const std::filesystem::path& file, int fd, off_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_error(file, "cannot write the file", Errc::unavailable);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += put;
  }
  if (::fsync(fd) != 0) return system_error(file, "cannot store the file", Errc::unavailable);
  return {};
}

Result<void> sync_folder_of(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return system_error(folder, "cannot sync the folder", Errc::unavailable);
  return {};
}

}  // namespace

Result<Secret> read_private_file(const std::filesystem::path& file, std::size_t most) {
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ELOOP)
    return fail(Errc::invalid, file.string() + ": the file must be a regular file, not a symbolic link");
  if (!fd) {
    return system_error(file, "cannot open the file", errno == ENOENT ? Errc::not_found : Errc::invalid);
  }
  SP_CHECK(check_ownership(file, fd.get()));
  return read_whole(file, fd.get(), most);
}

Result<void> write_new_private_file(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) {
    return system_error(file, "cannot make the file", errno == EEXIST ? Errc::conflict : Errc::unavailable);
  }
  auto written = write_at(file, fd.get(), 0, bytes);
  if (written) written = sync_folder_of(file);
  if (!written) ::unlink(file.c_str());
  return written;
}

Result<void> overwrite(const std::filesystem::path& file, std::size_t offset, std::span<const std::byte> bytes) {
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return system_error(file, "cannot open the file", Errc::unavailable);
  return write_at(file, fd.get(), static_cast<off_t>(offset), bytes);
}

Result<void> put_in_place(const std::filesystem::path& file, const std::filesystem::path& place) {
  if (::rename(file.c_str(), place.c_str()) != 0) return system_error(place, "cannot put in place", Errc::unavailable);
  return sync_folder_of(place);
}

Result<void> expect_private_folder(const std::filesystem::path& folder) {
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0) {
    return system_error(folder, "cannot use the folder", errno == ENOENT ? Errc::not_found : Errc::unavailable);
  }
  if (!S_ISDIR(status.st_mode)) return fail(Errc::invalid, fmt::format("{}: not a folder", folder.string()));
  if (status.st_uid != ::geteuid()) {
    return fail(Errc::forbidden, fmt::format("{}: the folder belongs to another user: run: chown {} {}",
                                             folder.string(), ::geteuid(), folder.string()));
  }
  if ((status.st_mode & 0077) != 0) {
    return fail(Errc::forbidden, fmt::format("{}: others get into the folder (mode {:04o}): run: chmod 700 {}",
                                             folder.string(), status.st_mode & 07777, folder.string()));
  }
  return {};
}

}  // namespace sallyport::keys
