#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <vector>

namespace sallyport::platform {

// What the system said of an attempt: exhausted when this machine has no file or memory left for it, or unavailable.
Error connect_error(const boost::system::error_code& why);

// For a socket that was just connected: an error when that must not be used. Where nobody listens on a port of this
// machine that the system also chooses for outgoing connections, an attempt may meet itself and stand, as TCP's
// simultaneous open (RFC 9293 section 3.5): it is closed by a reset, and was refused.
boost::system::error_code check_peer(boost::asio::ip::tcp::socket& socket);

// One attempt, for as long as the system takes; end it with a deadline. Errors: connect_error().
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> connect_one(boost::asio::ip::tcp::endpoint address);

// Connections are begun to all addresses in turn, a family of addresses after the other, each `apart` after the one
// before or at once when none is under way any more; the first that stands wins (RFC 8305 sections 4 and 5, with the
// order within a family left to the resolver). The error names every address and what became of it: timed_out when
// `deadline` passed, unavailable, exhausted when that was why one of them could not even be tried, cancelled.
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> connect_first(
    std::vector<boost::asio::ip::tcp::endpoint> addresses, std::chrono::milliseconds apart, SteadyTime deadline);

// The order connect_first() takes: the first address's family first, then one of each.
std::vector<boost::asio::ip::tcp::endpoint> alternate_families(std::vector<boost::asio::ip::tcp::endpoint> addresses);

}  // namespace sallyport::platform
