#include "relay/app/open_files.h"

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>

namespace sallyport::app {

Result<std::size_t> raise_open_files() {
  const auto failed = [](std::string_view doing) {
    return fail(Errc::unavailable,
                fmt::format("{} the limit of open files: {}", doing, std::generic_category().message(errno)));
  };
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return failed("read");
  if (limit.rlim_cur != limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return failed("raise");
  }
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_max, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace sallyport::app
