#pragma once

#include "agent/platform/fd.h"
#include "agent/platform/process.h"

#include <sys/types.h>

namespace sallyport::platform {

// A started program and what its parent holds of it.
struct Child {
  pid_t pid = -1;  // also its process group
  Fd pidfd;        // readable when it has ended
  Fd out, err;     // reading ends, non-blocking
};

// fork and exec with everything that can fail or allocate done before the fork: the child side only uses
// async-signal-safe calls, because the agent has threads. Returns after exec succeeded or the child has said why not.
Result<Child> start_child(const ProcessSpec& spec);

}  // namespace sallyport::platform
