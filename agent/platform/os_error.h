#pragma once

#include "shared/base/result.h"

#include <string_view>

namespace sallyport::platform {

// The operating system's error `code` (errno) as ours: "<what>: No space left on device".
// ENOENT is not_found, EACCES and EPERM forbidden, ENOSPC, EDQUOT, EMFILE and ENFILE exhausted, EEXIST conflict,
// EXDEV and ELOOP from a confined open forbidden, ENOSYS internal; everything else unavailable.
Error os_error(int code, std::string_view what);
std::unexpected<Error> os_fail(int code, std::string_view what);

// The same with errno as it is now.
std::unexpected<Error> os_fail(std::string_view what);

}  // namespace sallyport::platform
