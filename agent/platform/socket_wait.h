#pragma once

#include "agent/platform/fd.h"

#include <chrono>

namespace sallyport::platform {

enum class SocketNeed { reading, writing, either };
enum class SocketState { ready, not_yet, failed };

// Blocks until a borrowed socket can do what is needed (or has an error to tell), at most for `limit`; a signal may end
// it early with not_yet. `failed`: the operating system cannot wait for it.
SocketState wait_for_socket(int socket, SocketNeed need, std::chrono::nanoseconds limit);

// Ends a borrowed connection in both directions, and with it what waits for it in other threads; it stays open.
void shut_down_socket(int socket);

// The same connection once more: for one who looks after it while a library owns, and may close, the other. Empty when
// this process has no file left for it.
Fd duplicate_socket(int socket);

}  // namespace sallyport::platform
