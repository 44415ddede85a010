#include "agent/connectors/ssh/library.h"

#include <fmt/format.h>

#include <libssh2.h>

namespace sallyport::connectors::ssh {

Result<void> prepare_library() {
  static const int failed = libssh2_init(0);
  if (failed != 0) return fail(Errc::internal, "libssh2 cannot be used: out of memory");
  if (libssh2_version(0x010b00) != nullptr) return {};
  return fail(Errc::not_found, fmt::format("libssh2 is {} here; 1.11 or newer is needed", libssh2_version(0)));
}

}  // namespace sallyport::connectors::ssh
