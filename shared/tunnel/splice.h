#pragma once

#include "shared/base/clock.h"
#include "shared/link/channel.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::tunnel {

// What one connection has carried so far. splice() writes it, others on the same executor may read it.
struct Flow {
  std::uint64_t to_channel = 0;    // bytes read from the socket and handed to the channel
  std::uint64_t from_channel = 0;  // bytes read from the channel and written to the socket
};

struct SpliceLimits {
  std::chrono::milliseconds idle{0};   // without a byte in either direction; 0: no limit
  std::uint64_t bytes_per_second = 0;  // in each direction; 0: no limit
};

enum class SpliceEnd {
  finished,        // both directions ended as TCP ends them
  socket_broken,   // the socket was reset; the channel was reset with `broken`
  channel_broken,  // the channel was reset by the other side, or its link ended; the socket was reset (RST)
  idle,            // SpliceLimits::idle passed
  stopped,         // the caller was cancelled
  failed,          // a fault of ours
};
std::string_view to_string(SpliceEnd end);

struct SpliceOutcome {
  SpliceEnd end = SpliceEnd::finished;
  std::optional<mux::ResetCode> code = {};  // of channel_broken, when it was the peer's reset and not the link's end
  std::string detail;                       // what the other side or the system said; "" when finished
};

// Ends a splice() from outside as a cancel of its caller does, also one that has not begun.
class SpliceStop {
 public:
  void request();
  bool requested() const { return requested_; }

  class Ear {  // of the splice
   public:
    Ear(SpliceStop* stop, boost::asio::steady_timer& timer);  // cancels it at request()
    ~Ear();
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    bool heard() const { return stop_ != nullptr && stop_->requested_; }

   private:
    SpliceStop* stop_;
  };

 private:
  boost::asio::steady_timer* timer_ = nullptr;
  bool requested_ = false;
};

// Carries bytes between a connected socket and a channel until both directions have ended, faithfully to TCP (TN5):
// the end of one direction is passed on and leaves the other open, a reset is passed on as one, and a reader that is
// slow slows its writer down by credit. Bytes go from the socket to where the link takes them, and from where it has
// put them to the socket: none are held here. What came before a reset is still passed on, for 5 s at most. The other
// side of a process that dies meanwhile sees a reset too. A machine that vanishes is noticed within two minutes
// (keep-alive) when nothing is on its way to it, otherwise when the system gives up sending. Sets TCP_NODELAY; urgent
// data is carried as ordinary data. The socket is closed and the channel has ended when this returns. A cancel ends
// both at once with a reset, and takes effect in the caller at its next suspension. Socket and channel live on the
// executor this runs on; both outlive the call, and so do `flow` and `stop`.
boost::asio::awaitable<SpliceOutcome> splice(boost::asio::ip::tcp::socket& socket, link::Channel& channel, Flow& flow,
                                             SpliceLimits limits, SpliceStop* stop = nullptr);

}  // namespace sallyport::tunnel
