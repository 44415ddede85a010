#pragma once

namespace sallyport::smb {

inline constexpr int kSocket = 0;  // the agent's, in the place of standard input

// Whatever a server makes the library do: no core dump, no new privileges, 512 MiB of memory at most (not in a build
// with a sanitizer). False when that cannot be had.
bool confine_process();

// From now on the process ends when the agent's end of the socket does, also in the middle of a call.
void end_with_the_agent();

}  // namespace sallyport::smb
