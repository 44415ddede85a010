#pragma once

#include "shared/base/result.h"

#include <netinet/in.h>

#include <chrono>

namespace sallyport::bench {

// A long line: passes TCP connections on from `listen` to `to`, every byte half of `round_trip` after it came, up to
// 64 MiB on the way in each direction. So what limits is the tunnel's own windows; TCP's do not take part, nor does
// loss. Needs no help of the kernel, and no rights. Returns only an error.
Result<void> run_line(const sockaddr_in& listen, const sockaddr_in& to, std::chrono::duration<double> round_trip);

}  // namespace sallyport::bench
