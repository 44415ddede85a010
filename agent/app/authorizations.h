#pragma once

#include "agent/connectors/http/authorizer.h"
#include "shared/link/channel.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <optional>
#include <string_view>

namespace sallyport::app {

inline constexpr std::string_view kAuthorizationsCapability = "authorizations";
inline constexpr std::string_view kAuthorizationPurpose = "authorization/1";  // of a channel that the relay opens

// The agent's end of channels by which a person authorizes a connection through the relay (docs/protocol.md P18). State
// and verifier are made here and live as long as the channel. On the agent's loop; what the site names outlives it, and
// it outlives what it serves.
class Authorizations {
 public:
  static constexpr std::size_t kMost = 16;  // at the same time

  explicit Authorizations(connectors::Site site) : site_(site), authorizer_(site) {}

  // One channel, until it has ended: ten minutes at most for the person, half a minute for the exchange.
  boost::asio::awaitable<void> serve(link::Channel channel);

 private:
  boost::asio::awaitable<Result<void>> converse(const link::Channel& channel);
  boost::asio::awaitable<Result<void>> complete(const link::Channel& channel, std::string connection,
                                                const connectors::http::PendingAuthorization& pending);

  connectors::Site site_;
  connectors::http::Authorizer authorizer_;
  std::optional<boost::asio::thread_pool> workers_;  // made when it is needed first: most agents never do
  std::size_t open_ = 0;
};

}  // namespace sallyport::app
