#include "agent/platform/rename_posix.h"

#include "agent/platform/os_error.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

namespace sallyport::platform {
namespace {

constexpr std::array kNoAnswer{EIO,      ETIMEDOUT,    EINTR,      EPIPE,     EREMOTEIO,
                               ENOTCONN, ECONNABORTED, ECONNRESET, EHOSTDOWN, EHOSTUNREACH};

bool does_not_know_flags(int code) { return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP; }

bool does_not_link(int code) { return code == EPERM || code == ENOSYS || code == EOPNOTSUPP || code == EMLINK; }

bool are_the_same(NamedAt a, NamedAt b) {
  struct stat first{}, second{};
  return ::fstatat(a.directory, a.name.c_str(), &first, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstatat(b.directory, b.name.c_str(), &second, AT_SYMLINK_NOFOLLOW) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::unexpected<ChangeError> cannot_link(std::string_view doing) {
  return std::unexpected(ChangeError{
      Error{Errc::invalid, fmt::format("{}: this file system can neither rename without replacing nor give a file "
                                       "two names; only replacing works here (`mode: replace` of file.write@1, "
                                       "`overwrite: true` of file.move@1)",
                                       doing)}});
}

// A second name that is there already is of an earlier call, or of this one: NFS may answer so to a request it got
// twice. Where the first name does not go, the second is taken back.
Change<> link_and_unlink(NamedAt from, NamedAt to, std::string_view doing) {
  const bool linked = ::linkat(from.directory, from.name.c_str(), to.directory, to.name.c_str(), 0) == 0;
  if (!linked) {
    const int why = errno;
    if (does_not_link(why)) return cannot_link(doing);
    if (why != EEXIST || !are_the_same(from, to)) return change_failed(why, doing);
  }
  if (::unlinkat(from.directory, from.name.c_str(), 0) == 0 || errno == ENOENT) return {};
  const int why = errno;
  const bool taken_back = linked && ::unlinkat(to.directory, to.name.c_str(), 0) == 0;
  auto failed = change_failed(why, doing);
  failed.error().unsure |= !taken_back;
  return failed;
}

}  // namespace

std::unexpected<ChangeError> change_failed(int code, std::string_view doing) {
  const bool unsure = std::ranges::find(kNoAnswer, code) != kNoAnswer.end();
  return std::unexpected(ChangeError{os_error(code, doing), unsure});
}

Change<> settled(Result<void> made_durable) {
  if (!made_durable) return std::unexpected(ChangeError{std::move(made_durable).error(), true});
  return {};
}

Result<void> sync_directory(int directory, std::string_view doing) {
  if (::fsync(directory) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return {};
  return os_fail(doing);
}

Change<> rename_at(NamedAt from, NamedAt to, Replace replace, std::string_view doing) {
  const unsigned flags = replace == Replace::never ? RENAME_NOREPLACE : 0;
  if (::renameat2(from.directory, from.name.c_str(), to.directory, to.name.c_str(), flags) == 0) return {};
  if (flags != 0 && does_not_know_flags(errno)) return link_and_unlink(from, to, doing);
  return change_failed(errno, doing);
}

}  // namespace sallyport::platform
