#pragma once

#include "shared/base/result.h"

namespace sallyport::connectors::ssh {

// Makes libssh2 ready, once in the process. Errors: not_found when it is older than what agents need (RSA keys with
// SHA-2 came with 1.11, docs/decisions/0042).
Result<void> prepare_library();

}  // namespace sallyport::connectors::ssh
