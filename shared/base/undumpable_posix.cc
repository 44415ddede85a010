#include "shared/base/undumpable.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace sallyport {
namespace {

std::unexpected<Error> refused(std::string_view what) {
  const auto why = std::error_code(errno, std::generic_category()).message();
  return fail(Errc::unavailable, "this system does not let the process keep its memory out of core dumps (" +
                                     std::string(what) + ": " + why + "): it does not start without that");
}

}  // namespace

Result<void> become_undumpable() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return refused("RLIMIT_CORE");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return refused("PR_SET_DUMPABLE");
  return {};
}

}  // namespace sallyport
