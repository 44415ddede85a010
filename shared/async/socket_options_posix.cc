#include "shared/async/socket_options.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace sallyport {
namespace {

using boost::asio::ip::tcp;

std::unexpected<Error> failed(std::string_view what) {
  return fail(Errc::unavailable,
              std::string(what) + " of a TCP connection: " + std::error_code(errno, std::generic_category()).message());
}

template <class Socket, class Value>
Result<void> set(Socket& socket, int level, int name, const Value& value) {
  if (::setsockopt(socket.native_handle(), level, name, &value, sizeof value) == 0) return {};
  return fail(Errc::unavailable,
              "setting the options of a TCP connection: " + std::error_code(errno, std::generic_category()).message());
}

template <class Socket>
Result<void> keep_alive(Socket& socket, const KeepAlive& how) {
  SP_CHECK(set(socket, SOL_SOCKET, SO_KEEPALIVE, 1));
  SP_CHECK(set(socket, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(how.idle.count())));
  SP_CHECK(set(socket, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(how.interval.count())));
  return set(socket, IPPROTO_TCP, TCP_KEEPCNT, how.probes);
}

// Not by Asio's option, which its destructor takes back.
template <class Socket>
Result<void> closing_of(Socket& socket, Closing closing) {
  return set(socket, SOL_SOCKET, SO_LINGER, linger{closing == Closing::by_reset ? 1 : 0, 0});
}

}  // namespace

Result<void> set_keep_alive(tcp::socket& socket, const KeepAlive& how) { return keep_alive(socket, how); }
Result<void> set_keep_alive(tcp::acceptor& listener, const KeepAlive& how) { return keep_alive(listener, how); }

Result<void> set_closing(tcp::socket& socket, Closing closing) { return closing_of(socket, closing); }
Result<void> set_closing(tcp::acceptor& listener, Closing closing) { return closing_of(listener, closing); }

boost::asio::socket_base::message_flags more_follows() { return MSG_MORE; }

Result<std::size_t> unacknowledged(tcp::socket& socket) {
  int bytes = 0;
  if (::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) != 0) return failed("asking for the bytes on the way");
  return static_cast<std::size_t>(bytes);
}

Corked::Corked(tcp::socket& socket) : socket_(socket) { (void)set(socket_, IPPROTO_TCP, TCP_CORK, 1); }
Corked::~Corked() { (void)set(socket_, IPPROTO_TCP, TCP_CORK, 0); }

}  // namespace sallyport
