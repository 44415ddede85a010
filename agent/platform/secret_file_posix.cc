#include "agent/platform/secret_file.h"

#include "agent/platform/fd.h"
#include "agent/platform/os_error.h"
#include "agent/platform/text_file.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace sallyport::platform {
namespace {

// Of a directory that this user may not enter or make.
std::unexpected<Error> shut_out(std::string_view what, const std::string& path, std::string_view advice) {
  const int code = errno;
  auto refused = os_fail(code, fmt::format("{} {}", what, path));
  if (code == EACCES || code == EPERM) refused.error().message += fmt::format("; {} {} {}", advice, ::geteuid(), path);
  return refused;
}

Result<struct stat> examine(int fd, const std::string& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return os_fail("examining " + path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::invalid, path + " is not a regular file");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(Errc::forbidden, fmt::format("the secret file {} belongs to user id {}; run: chown {} {}", path,
                                             info.st_uid, ::geteuid(), path));
  }
  if ((info.st_mode & 077) != 0) {
    return fail(Errc::forbidden,
                fmt::format("the secret file {} is open to other users (mode {:04o}); run: chmod 600 {}", path,
                            info.st_mode & 07777, path));
  }
  return info;
}

Result<Fd> open_secret(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return os_fail("opening the secret file " + path);
  return file;
}

}  // namespace

Result<void> check_secret_file(const std::string& path) {
  SP_TRY(const auto file, open_secret(path));
  SP_CHECK(examine(file.get(), path));
  return {};
}

Result<Secret> read_secret_file(const std::string& path, std::size_t limit) {
  SP_TRY(const auto file, open_secret(path));
  SP_TRY(const auto info, examine(file.get(), path));
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > limit)
    return fail(Errc::too_large, fmt::format("the secret file {} is larger than {} bytes", path, limit));
  std::string bytes(size, '\0');
  const auto got = ::pread(file.get(), bytes.data(), size, 0);
  auto secret = Secret::take(bytes);
  if (got < 0) return os_fail("reading the secret file " + path);
  if (static_cast<std::size_t>(got) != size)
    return fail(Errc::conflict, "the secret file " + path + " changed while it was read");
  return secret;
}

Result<void> write_secret_file(const std::string& path, std::string_view bytes) {
  return write_file_atomically(path, bytes, 0600);
}

Result<void> make_private_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return os_fail("opening " + path);
  if (::fchmod(file.get(), 0600) != 0) return os_fail("making " + path + " private");
  return {};
}

Result<void> prepare_private_directory(const std::string& path) {
  std::error_code problem;
  if (!std::filesystem::exists(path, problem)) {
    const auto parent = std::filesystem::path(path).parent_path();
    if (!parent.empty()) std::filesystem::create_directories(parent, problem);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return shut_out("creating the directory", path,
                      "run this as the user that agent.yaml and what is beside it belong to, or, as root: install -d "
                      "-m 700 -o");
    }
  }
  const Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory)
    return shut_out("opening the directory", path,
                    "run this as the user that it belongs to, or, if this one is to have it, as root: chown -R");
  struct stat info{};
  if (::fstat(directory.get(), &info) != 0) return os_fail("examining " + path);
  if (info.st_uid != ::geteuid()) {
    return fail(Errc::forbidden, fmt::format("the directory {} belongs to user id {}; run: chown -R {} {}", path,
                                             info.st_uid, ::geteuid(), path));
  }
  if ((info.st_mode & 022) != 0)
    return fail(Errc::forbidden, fmt::format("others may write to {}; run: chmod 700 {}", path, path));
  return {};
}

}  // namespace sallyport::platform
