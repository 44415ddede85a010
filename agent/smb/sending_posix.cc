// The calls of the C library by which libsmbclient connects and sends. This program's own come first in the order in
// which symbols are looked up, so that nothing of this process passes by the guard.
#include "agent/smb/line_guard.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <vector>

// Here, so that whatever has a guard has these calls too.
sallyport::smb::LineGuard& sallyport::smb::line_guard() {
  static LineGuard guard;
  return guard;
}

namespace {

using sallyport::smb::line_guard;
using sallyport::smb::LineGuard;

bool is_of_network(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}

bool is_stream(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

template <class Send>
ssize_t guarded(int fd, std::span<const iovec> parts, Send send) {
  if (!is_of_network(fd) || !is_stream(fd)) return send();
  std::vector<LineGuard::Bytes> pieces;
  for (const auto& part : parts) pieces.emplace_back(static_cast<const std::byte*>(part.iov_base), part.iov_len);
  if (!line_guard().may_send(pieces)) {
    errno = ECONNABORTED;  // which the library passes on
    return -1;
  }
  const ssize_t sent = send();
  if (sent > 0) line_guard().has_sent(pieces, static_cast<std::uint64_t>(sent));
  return sent;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): the C library's
extern "C" {
[[gnu::visibility("default")]] int connect(int fd, const sockaddr* address, socklen_t size) {
  if (is_of_network(fd) && is_stream(fd) && !line_guard().may_connect()) {
    errno = ECONNABORTED;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_connect, fd, address, size));
}

[[gnu::visibility("default")]] ssize_t writev(int fd, const iovec* pieces, int count) {
  return guarded(fd, {pieces, static_cast<std::size_t>(count)},
                 [&] { return static_cast<ssize_t>(::syscall(SYS_writev, fd, pieces, count)); });
}

[[gnu::visibility("default")]] ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return guarded(fd, {message->msg_iov, message->msg_iovlen},
                 [&] { return static_cast<ssize_t>(::syscall(SYS_sendmsg, fd, message, flags)); });
}

[[gnu::visibility("default")]] ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  const iovec piece{const_cast<void*>(bytes), size};
  return guarded(fd, {&piece, 1},
                 [&] { return static_cast<ssize_t>(::syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0)); });
}

[[gnu::visibility("default")]] ssize_t write(int fd, const void* bytes, size_t size) {
  const iovec piece{const_cast<void*>(bytes), size};
  return guarded(fd, {&piece, 1}, [&] { return static_cast<ssize_t>(::syscall(SYS_write, fd, bytes, size)); });
}
}
// NOLINTEND(readability-identifier-naming)
