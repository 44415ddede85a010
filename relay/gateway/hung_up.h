#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace sallyport::gateway {

// The other side has closed, or the connection is broken, whatever is still to be read. Costs one system call.
bool has_hung_up(boost::asio::ip::tcp::socket& socket);

}  // namespace sallyport::gateway
