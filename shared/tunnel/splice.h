#pragma once

#include "shared/base/clock.h"
#include "shared/link/channel.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::tunnel {

// What one connection has carried so far. Who carries it writes it, others on the same executor may read it.
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
  stopped,         // by Carriage::stop(), or the caller was cancelled
  failed,          // a fault of ours
};
std::string_view to_string(SpliceEnd end);

struct SpliceOutcome {
  SpliceEnd end = SpliceEnd::finished;
  std::optional<mux::ResetCode> code = {};  // of channel_broken, when it was the peer's reset and not the link's end
  std::string detail;                       // what the other side or the system said; "" when finished
};

// Called once, from the loop.
using OnSpliceEnd = std::move_only_function<void(SpliceOutcome)>;

// A connection that is being carried. Ends by itself, or by stop().
class Carriage {
 public:
  virtual ~Carriage() = default;
  virtual void stop() = 0;  // with a reset on both sides; what was under way is not waited for
};

// What splice() needs of its socket: no delay, urgent data in line (so that none is lost), probes while it is silent,
// and that whatever ends this process before both directions have ended does not look like their end. What a prepared
// listener takes is prepared (tcp(7), socket(7)).
Result<void> prepare(boost::asio::ip::tcp::socket& socket);
Result<void> prepare(boost::asio::ip::tcp::acceptor& listener);

// Carries bytes between a connected and prepared socket and a channel until both directions have ended, faithfully to
// TCP (TN5): the end of one direction is passed on and leaves the other open, a reset is passed on as one, and a reader
// that is slow slows its writer down by credit. Bytes go from the socket to where the link takes them, and from where
// it has put them to the socket: none are held here. What came before a reset is still passed on, for 5 s at most. The
// other side of a process that dies meanwhile sees a reset too. A machine that vanishes is noticed within two minutes
// (keep-alive) when nothing is on its way to it, otherwise when the system gives up sending. The socket is closed and
// the channel has ended when `on_end` is called: from the loop, and never from within this call, stop() or a callback
// of the channel. Socket and channel live on one executor; they and `flow` live until then.
std::shared_ptr<Carriage> begin_splice(boost::asio::ip::tcp::socket& socket, link::Channel& channel, Flow& flow,
                                       SpliceLimits limits, OnSpliceEnd on_end);

// The same for a coroutine of that executor. A cancel stops it, and takes effect in the caller at its next suspension.
boost::asio::awaitable<SpliceOutcome> splice(boost::asio::ip::tcp::socket& socket, link::Channel& channel, Flow& flow,
                                             SpliceLimits limits);

}  // namespace sallyport::tunnel
