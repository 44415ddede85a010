#pragma once

#include "shared/link/channel.h"
#include "shared/tunnel/splice.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sallyport::tunnel {

// Ends a join() from outside as a cancel of its caller does, also one that has not begun.
class JoinStop {
 public:
  void request();

  class Ear {  // of the join
   public:
    Ear(JoinStop* stop, boost::asio::steady_timer& timer);  // cancels it at request()
    ~Ear();
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    bool heard() const { return stop_ != nullptr && stop_->requested_; }

   private:
    JoinStop* stop_;
  };

 private:
  boost::asio::steady_timer* timer_ = nullptr;
  bool requested_ = false;
};

// What splice() is for a socket and a channel, for a client's channel and the target's, perhaps of two links: carries
// bytes between them until both directions have ended. The end of one direction is passed on and leaves the other open,
// a reset is passed on with its code and its text after what came before it (5 s at the most), and a reader that is
// slow slows its writer down by credit, with at most one buffer (32 KiB) held here for each direction and none while
// nothing flows. In the outcome and in `flow` the client stands for the socket: socket_broken says that the client's
// channel was reset or its link ended, channel_broken the same of the target's. Both channels have ended when this
// returns. A cancel resets both, and takes effect in the caller at its next suspension. Both live on the executor this
// runs on; they, `flow` and `stop` outlive the call.
boost::asio::awaitable<SpliceOutcome> join(link::Channel& client, link::Channel& target, Flow& flow,
                                           SpliceLimits limits, JoinStop* stop = nullptr);

}  // namespace sallyport::tunnel
