#include "agent/platform/os_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace sallyport::platform {
namespace {

Errc meaning_of(int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR: return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
    case EXDEV:
    case ELOOP: return Errc::forbidden;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE: return Errc::exhausted;
    case EEXIST:
    case ENOTEMPTY: return Errc::conflict;
    case EFBIG:
    case E2BIG: return Errc::too_large;
    case ENAMETOOLONG:
    case EISDIR:
    case ENOEXEC:
    case EINVAL: return Errc::invalid;
    case ETIMEDOUT: return Errc::timed_out;
    case ENOSYS: return Errc::internal;
    default: return Errc::unavailable;
  }
}

}  // namespace

Error os_error(int code, std::string_view what) {
  return Error{meaning_of(code), fmt::format("{}: {}", what, std::generic_category().message(code))};
}

std::unexpected<Error> os_fail(int code, std::string_view what) { return std::unexpected(os_error(code, what)); }
std::unexpected<Error> os_fail(std::string_view what) { return os_fail(errno, what); }

}  // namespace sallyport::platform
