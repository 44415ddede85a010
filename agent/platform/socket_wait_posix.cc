#include "agent/platform/socket_wait.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sallyport::platform {
namespace {

short events_of(SocketNeed need) {
  switch (need) {
    case SocketNeed::reading: return POLLIN;
    case SocketNeed::writing: return POLLOUT;
    case SocketNeed::either: return POLLIN | POLLOUT;
  }
  return POLLIN;
}

}  // namespace

SocketState wait_for_socket(int socket, SocketNeed need, std::chrono::nanoseconds limit) {
  pollfd fd{socket, events_of(need), 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(limit, std::chrono::nanoseconds::zero()));
  const int ready = ::poll(&fd, 1, static_cast<int>(ms.count()));
  if (ready < 0) return errno == EINTR ? SocketState::not_yet : SocketState::failed;
  return ready > 0 ? SocketState::ready : SocketState::not_yet;
}

void shut_down_socket(int socket) { (void)::shutdown(socket, SHUT_RDWR); }

Fd duplicate_socket(int socket) { return Fd(::fcntl(socket, F_DUPFD_CLOEXEC, 0)); }

}  // namespace sallyport::platform
