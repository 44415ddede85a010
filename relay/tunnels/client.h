#pragma once

#include "relay/tunnels/connection_end.h"

#include <memory>

namespace sallyport::tunnels {

// The client's end of one connection through a tunnel: a socket that the listener took, or a channel of a workstation's
// session. Lives on the relay's loop.
class Client {
 public:
  virtual ~Client() = default;
  // Carries bytes to and from `target` as tunnel::splice does. Call once; both have ended when it returns.
  virtual boost::asio::awaitable<tunnel::SpliceOutcome> carry(link::Channel& target, tunnel::Flow& flow,
                                                              tunnel::SpliceLimits limits,
                                                              tunnel::SpliceStop& stop) = 0;
  // Ends what is not carried: the client sees a reset, and a workstation is told why.
  virtual void refuse(const Ending& why) = 0;
};

std::unique_ptr<Client> make_client(boost::asio::ip::tcp::socket socket);
std::unique_ptr<Client> make_client(link::Channel channel);

}  // namespace sallyport::tunnels
