#pragma once

#include "agent/link/way_choice.h"
#include "agent/link/websocket.h"
#include "shared/base/log.h"
#include "shared/tls/context.h"
#include "shared/tls/secure_stream.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>

namespace sallyport::agent {

struct Destination {
  Endpoint relay;                 // its host is what the relay's certificate must name, on either way
  std::optional<WebAddress> web;  // without it there is only the direct way
};

// What is known of the way in use, for people.
struct WayFacts {
  std::optional<Way> way;  // of the last session that was made
  std::string inspector;   // who issued the last certificate that was shown in place of the relay's; "" if none
};

// Makes TLS sessions with the relay by whichever way leads there. What is not the relay is never believed: on the
// direct way its certificate is demanded, and inside a WebSocket the same session is made with the same demands.
// Lives on one executor; the references outlive it.
class Ways {
 public:
  struct Parts {
    const Dialer& dialer;
    const Clock& clock;
    const Log& log;
  };
  Ways(Parts parts, Via via, WayTimes times, Random random)
      : parts_(parts), choice_(via, times, std::move(random)), patient_(via == Via::automatic) {}

  // A second way begins at half of the time that is left until `deadline` at the latest, or not at all. The error is
  // that of the last way; its message tells of both.
  boost::asio::awaitable<Result<std::unique_ptr<tls::SecureStream>>> reach(Destination to, tls::ClientContext context,
                                                                           SteadyTime deadline);
  const WayFacts& facts() const { return facts_; }

 private:
  struct Failure {
    Error error;
    Obstacle obstacle = Obstacle::nobody_there;
  };
  using Reached = std::expected<std::unique_ptr<tls::SecureStream>, Failure>;
  struct Deadlines {
    SteadyTime carrier;  // of what carries the session
    SteadyTime session;
  };

  boost::asio::awaitable<Reached> go(Way way, Destination to, tls::ClientContext context, Deadlines deadlines);
  boost::asio::awaitable<Reached> go_directly(Endpoint relay, tls::ClientContext context, Deadlines deadlines);
  boost::asio::awaitable<Reached> go_inside(Destination to, tls::ClientContext context, Deadlines deadlines);
  Deadlines first_deadlines(Way way, const Destination& to, SteadyTime begun, SteadyTime deadline) const;
  void note_inspector(const std::string& issuer);
  void note_shown(const std::vector<crypto::Certificate>& outside, const tls::SecureStream& inside);
  void worked(Way way);

  Parts parts_;
  WayChoice choice_;
  bool patient_;  // time is kept for a second way
  WayFacts facts_;
};

}  // namespace sallyport::agent
