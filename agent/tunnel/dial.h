#pragma once

#include "shared/base/clock.h"
#include "shared/link/channel.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sallyport::tunnel {

// One attempt at one address, until `deadline` and as long as `channel`, for which it is, is not broken. Has the
// channel's watcher meanwhile. Errors: timed_out, exhausted, unavailable, cancelled when it was not wanted any more or
// the caller was cancelled.
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> connect_while_wanted(boost::asio::ip::tcp::endpoint to,
                                                                                  const link::Channel& channel,
                                                                                  SteadyTime deadline);

}  // namespace sallyport::tunnel
