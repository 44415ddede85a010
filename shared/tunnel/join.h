#pragma once

#include "shared/link/channel.h"
#include "shared/tunnel/splice.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace sallyport::tunnel {

// What begin_splice() does for a socket and a channel, for a client's channel and the target's, perhaps of two links:
// carries bytes between them until both directions have ended. The end of one direction is passed on and leaves the
// other open, a reset is passed on with its code and its text after what came before it (5 s at the most), and a reader
// that is slow slows its writer down by credit: bytes go from where one link has put them to where the other takes
// them, and none are held here. In the outcome and in `flow` the client stands for the socket: socket_broken says that
// the client's channel was reset or its link ended, channel_broken the same of the target's. Both channels have ended
// when `on_end` is called: from the loop, and never from within this call, stop() or a callback of a channel. Both live
// on `executor`; they and `flow` live until then.
std::shared_ptr<Carriage> begin_join(const boost::asio::any_io_executor& executor, link::Channel& client,
                                     link::Channel& target, Flow& flow, SpliceLimits limits, OnSpliceEnd on_end);

}  // namespace sallyport::tunnel
