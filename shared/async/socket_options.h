#pragma once

#include "shared/base/result.h"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>

namespace sallyport {

// Probes to a machine that has been silent: the first after `idle`, then one each `interval`; when `probes` of them got
// no answer, the connection is broken. Unlike TCP_USER_TIMEOUT it lets a reader be slow: who answers may keep its
// window shut for ever.
struct KeepAlive {
  std::chrono::seconds idle;
  std::chrono::seconds interval;
  int probes;
};
Result<void> set_keep_alive(boost::asio::ip::tcp::socket& socket, const KeepAlive& how);
Result<void> set_keep_alive(boost::asio::ip::tcp::acceptor& listener, const KeepAlive& how);  // of what it will take

// What the other side sees when the socket is closed: by close(), by its destructor or by the end of the process.
enum class Closing { orderly, by_reset };
Result<void> set_closing(boost::asio::ip::tcp::socket& socket, Closing closing);
Result<void> set_closing(boost::asio::ip::tcp::acceptor& listener, Closing closing);  // of what it will take

// While it lives the system sends full segments only, so that what is written in small pieces arrives in large ones;
// its end sends the rest. Where there is no such option nothing changes. The socket outlives it.
class Corked {
 public:
  explicit Corked(boost::asio::ip::tcp::socket& socket);
  ~Corked();
  Corked(const Corked&) = delete;
  Corked& operator=(const Corked&) = delete;

 private:
  boost::asio::ip::tcp::socket& socket_;
};

// For a send() that another one, or the end, follows at once: both may leave in one segment.
boost::asio::socket_base::message_flags more_follows();

// Bytes written to the socket, and an end, that the other side's system has not acknowledged.
Result<std::size_t> unacknowledged(boost::asio::ip::tcp::socket& socket);

}  // namespace sallyport
