#pragma once

#include <chrono>

namespace sallyport::platform {

enum class SocketNeed { reading, writing, either };
enum class SocketState { ready, not_yet, failed };

// Blocks until a borrowed socket can do what is needed (or has an error to tell), at most for `limit`; a signal may end
// it early with not_yet. `failed`: the operating system cannot wait for it.
SocketState wait_for_socket(int socket, SocketNeed need, std::chrono::nanoseconds limit);

}  // namespace sallyport::platform
