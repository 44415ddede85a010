#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace sallyport::app {

// What tells a process from all others there are and were. Its number alone does not: a later process may have it, and
// so may one of another container.
struct ProcessMark {
  pid_t number = 0;
  std::uint64_t started = 0;       // clock ticks from the boot to its start
  std::uint64_t number_space = 0;  // inode of the namespace in which the number is its
  std::string boot;                // the kernel's id of the boot

  bool operator==(const ProcessMark&) const = default;
};

// This process; nothing when /proc does not tell.
std::optional<ProcessMark> own_mark();

// SIGHUP to that very process; never to another. False: it is not there any more, cannot be seen from here, or may not
// be signalled by this user.
bool hang_up(const ProcessMark& process);

}  // namespace sallyport::app
