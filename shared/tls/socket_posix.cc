#include "shared/tls/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace sallyport::tls {
namespace {

struct Option {
  int level;
  int name;
  int value;
};

constexpr Option kOptions[] = {
    {IPPROTO_TCP, TCP_NODELAY, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, 10},
    {IPPROTO_TCP, TCP_KEEPINTVL, 5},
    {IPPROTO_TCP, TCP_KEEPCNT, 2},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(std::chrono::milliseconds(kUserTimeout).count())},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 << 10},
};

}  // namespace

Result<void> prepare_socket(boost::asio::ip::tcp::socket& socket) {
  for (const auto& option : kOptions) {
    if (::setsockopt(socket.native_handle(), option.level, option.name, &option.value, sizeof option.value) == 0)
      continue;
    return fail(Errc::unavailable, "setting the options of a TCP connection: " +
                                       std::error_code(errno, std::generic_category()).message());
  }
  return {};
}

}  // namespace sallyport::tls
