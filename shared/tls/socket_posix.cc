#include "shared/tls/socket.h"

#include "shared/async/socket_options.h"

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
    {IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(std::chrono::milliseconds(kUserTimeout).count())},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 << 10},
};

constexpr KeepAlive kKeepAlive{.idle = std::chrono::seconds(10), .interval = std::chrono::seconds(5), .probes = 2};

}  // namespace

Result<void> prepare_socket(boost::asio::ip::tcp::socket& socket) {
  for (const auto& option : kOptions) {
    if (::setsockopt(socket.native_handle(), option.level, option.name, &option.value, sizeof option.value) == 0)
      continue;
    return fail(Errc::unavailable, "setting the options of a TCP connection: " +
                                       std::error_code(errno, std::generic_category()).message());
  }
  return set_keep_alive(socket, kKeepAlive);
}

}  // namespace sallyport::tls
