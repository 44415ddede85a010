#pragma once

#include "shared/http/edge_metrics.h"
#include "shared/http/places.h"
#include "shared/http/server.h"
#include "shared/http/types.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <optional>

namespace sallyport::http {

// What a connection uses; outlives it.
struct SessionServices {
  Handler& handler;
  const Limits& limits;
  const Log& log;
  const Clock& clock;
  EdgeMetrics& metrics;
  Places& places;
};

// One accepted connection from handshake to close. Runs on the socket's executor.
class Session {
 public:
  virtual ~Session() = default;
  virtual boost::asio::awaitable<void> run() = 0;  // call once
  // Ends when nothing is under way: at once if idle, else after the answer; a live stream ends now.
  virtual void drain() = 0;
  virtual void abort() = 0;  // closes the socket now
  virtual bool is_upgraded() const = 0;
  // Since when nothing has come from the peer, or its handshake takes unusually long, or no further request has come
  // for unusually long: who has loitered for longest is the first to go where room is short. Nothing: it does not.
  virtual std::optional<SteadyTime> loiters_since(SteadyTime now) const = 0;
};

enum class Welcome {
  serve,
  turn_away,  // its source has too many connections: its first request is answered with 429, and that is all
};

// Without `tls` in clear text.
std::unique_ptr<Session> make_session(boost::asio::ip::tcp::socket socket,
                                      std::shared_ptr<boost::asio::ssl::context> tls, SessionServices services,
                                      Welcome welcome);

}  // namespace sallyport::http
