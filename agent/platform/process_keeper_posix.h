#pragma once

#include <chrono>

#include <sys/types.h>

namespace sallyport::platform {

inline constexpr std::chrono::seconds kEndingGrace{1};  // between SIGTERM and SIGKILL
inline constexpr std::chrono::seconds kEndingBound{5};  // for what not even SIGKILL ends at once

// What the keeper tells when the program has ended.
struct KeptEnd {
  int status;  // as waitpid() gives it
};

// Makes this process the one that every descendant of its children falls to, whatever group or session it made for
// itself. Before the first of them is forked; false with errno.
bool adopt_descendants();

// The rest of a keeper's life: waits for `program`, its child; then, or when SIGTERM says so (which the kernel also
// sends when the agent's thread is gone), ends every descendant, and exits. SIGTERM gives the program's group
// kEndingGrace. Tells `result` a KeptEnd once the program is reaped. All signals are blocked, and only
// async-signal-safe calls are made: the agent that was forked has threads.
[[noreturn]] void keep(pid_t program, int result);

}  // namespace sallyport::platform
