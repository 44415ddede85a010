#pragma once

#include "relay/tunnels/connection_end.h"
#include "shared/tunnel/splice.h"

#include <memory>

namespace sallyport::tunnels {

// The client's end of one connection through a tunnel: a socket that the listener took, or a channel of a workstation's
// session. Lives on the relay's loop.
class Client {
 public:
  virtual ~Client() = default;
  // Carries bytes to and from `target` as tunnel::begin_splice() does, and with its rules. Call once; lives until
  // `on_end` is called.
  virtual void carry(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
                     tunnel::OnSpliceEnd on_end) = 0;
  virtual void stop() = 0;  // as Carriage::stop(), after carry()
  // Ends what is not carried: the client sees a reset, and a workstation is told why.
  virtual void refuse(const Ending& why) = 0;
};

// A socket that is prepared (tunnel::prepare).
std::unique_ptr<Client> make_client(boost::asio::ip::tcp::socket socket);
// A channel that lives on `executor`.
std::unique_ptr<Client> make_client(const boost::asio::any_io_executor& executor, link::Channel channel);

}  // namespace sallyport::tunnels
