#pragma once

#include "agent/platform/fd.h"
#include "agent/platform/process.h"

#include <sys/types.h>

namespace sallyport::platform {

// A started program and what the agent holds of it. Between the two stands a keeper (process_keeper_posix.h), a process
// of the agent's own, which ends the program and everything that ever descended from it: on SIGTERM, and when the
// program or the agent has ended.
struct Child {
  pid_t keeper = -1;
  Fd pidfd;     // of the keeper: readable when nothing of the program is left
  Fd result;    // where the keeper tells a KeptEnd
  Fd report;    // ends when the program has begun, or tells why it could not
  Fd in;        // writing end, non-blocking
  Fd out, err;  // reading ends, non-blocking
};

// fork and exec with everything that can fail or allocate done before the fork: the child side only uses
// async-signal-safe calls, because the agent has threads. Does not wait for the exec, which may hang with its file
// system.
Result<Child> start_child(const ProcessSpec& spec);

// Reads what a `report` that is readable holds: nothing when the program has begun.
Result<void> read_report(const Fd& report, const ProcessSpec& spec);

}  // namespace sallyport::platform
