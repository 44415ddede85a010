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

// What the other side sees when the socket is closed: by close(), by its destructor or by the end of the process.
enum class Closing { orderly, by_reset };
Result<void> set_closing(boost::asio::ip::tcp::socket& socket, Closing closing);

// Bytes written to the socket, and an end, that the other side's system has not acknowledged.
Result<std::size_t> unacknowledged(boost::asio::ip::tcp::socket& socket);

}  // namespace sallyport
