#pragma once

#include "shared/base/result.h"

namespace sallyport {

// From now on no crash of this process writes its memory to a disk (RLIMIT_CORE 0), and no other process of its user
// may read that memory (PR_SET_DUMPABLE 0: no core handler, no ptrace, /proc/PID belongs to root). For programs that
// hold secrets or payloads, before they read any. Programs it starts are not bound by the second.
Result<void> become_undumpable();

}  // namespace sallyport
