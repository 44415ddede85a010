#pragma once

#include "relay/domain/tunnel.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sallyport::tunnels {

// Listens on a port of this machine, for connections that are prepared (tunnel::prepare); on an IPv6 address for IPv6
// only. Errors say what to do: conflict (somebody has the port), invalid (no address of this machine, or a port that
// the relay's user may not open), unavailable (the operating system has no room).
Result<boost::asio::ip::tcp::acceptor> listen_on(const boost::asio::any_io_executor& executor,
                                                 const domain::TunnelListener& where);

std::string to_string(const domain::TunnelListener& where);  // "127.0.0.1:5432", "[::1]:5432"

// Closes a connection so that the other side sees a reset (RST) and not an end.
void reset(boost::asio::ip::tcp::socket& socket);

}  // namespace sallyport::tunnels
