#include "agent/platform/rename_posix.h"

#include "agent/platform/os_error.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace sallyport::platform {
namespace {

bool does_not_know_flags(int code) { return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP; }

bool does_not_link(int code) { return code == EPERM || code == ENOSYS || code == EOPNOTSUPP || code == EMLINK; }

bool are_the_same(NamedAt a, NamedAt b) {
  struct stat first{}, second{};
  return ::fstatat(a.directory, a.name.c_str(), &first, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstatat(b.directory, b.name.c_str(), &second, AT_SYMLINK_NOFOLLOW) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// A second name that is there already is of an earlier call, or of this one: NFS may answer so to a request it got
// twice.
Result<void> link_and_unlink(NamedAt from, NamedAt to, std::string_view doing) {
  if (::linkat(from.directory, from.name.c_str(), to.directory, to.name.c_str(), 0) != 0) {
    const int why = errno;
    if (does_not_link(why)) {
      return fail(Errc::invalid,
                  fmt::format("{}: this file system can neither rename without replacing nor give a file "
                              "two names; only replacing works here (`mode: replace` of file.write@1, "
                              "`overwrite: true` of file.move@1)",
                              doing));
    }
    if (why != EEXIST || !are_the_same(from, to)) return os_fail(why, doing);
  }
  if (::unlinkat(from.directory, from.name.c_str(), 0) != 0 && errno != ENOENT) return os_fail(doing);
  return {};
}

}  // namespace

Result<void> rename_at(NamedAt from, NamedAt to, Replace replace, std::string_view doing) {
  const unsigned flags = replace == Replace::never ? RENAME_NOREPLACE : 0;
  if (::renameat2(from.directory, from.name.c_str(), to.directory, to.name.c_str(), flags) == 0) return {};
  if (flags != 0 && does_not_know_flags(errno)) return link_and_unlink(from, to, doing);
  return os_fail(doing);
}

}  // namespace sallyport::platform
