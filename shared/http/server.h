#pragma once

#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"
#include "shared/base/result.h"
#include "shared/http/tls_files.h"
#include "shared/http/types.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace sallyport::http {

// Every bound of the edge. Bodies are bounded per route (Exchange::body_limit). Where connections reach a limit, one
// of them that has sent nothing, or has been in its TLS handshake or without a request for over 2 s, makes room for the
// next one: the one of which that has been true for longest.
struct Limits {
  std::size_t max_connections = 1024;
  std::size_t max_per_source = 128;  // connections of one address (sources.h); then 429, over twice as many nothing
  std::size_t max_header_bytes = 16u << 10;
  std::size_t max_headers = 64;
  std::size_t max_target = 4096;
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds idle{60'000};          // between two requests of one connection
  std::chrono::milliseconds head{10'000};          // from the first byte of a request to the end of its header
  std::chrono::milliseconds request{30'000};       // from the end of the header to the end of the answer
  std::chrono::milliseconds stream_beat{15'000};   // a live stream shows at least this often that it lives
  std::chrono::milliseconds stream_write{10'000};  // a reader of a live stream that takes longer for one event is cut
  std::chrono::milliseconds drain{5'000};          // what stop() leaves to requests under way
  std::chrono::milliseconds upgraded_drain{0};     // and to connections that have become something else, if it is more

  // How many may have become something else (UpgradeResponse). They last, and none of them makes room: so that requests
  // always find a place, they share half of all.
  std::size_t max_upgraded() const { return std::max<std::size_t>(1, max_connections / 2); }
  // Nor do live streams (StreamResponse) make room: they share a quarter of all, and one caller alone has half of that.
  std::size_t max_streams() const { return std::max<std::size_t>(1, max_connections / 4); }
};

enum class Security {
  tls,
  none,  // clear text: for addresses that no network reaches
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free port
  TlsFiles tls;
  Security security = Security::tls;
  Limits limits;
};

// What the edge needs from the process; all of it outlives the server.
struct ServerServices {
  const Log& log;
  const Clock& clock;
  Metrics& metrics;
};

// HTTP/1.1, over TLS (1.2 with AEAD suites, or 1.3) unless told otherwise, and the only place that knows Beast and
// asio::ssl. Everything above sees Request and Response. Runs on one executor (one thread); every connection stays on
// it. Each request: strict gate on the raw header, admission by the handler, body, answer, one access line in the log.
class Server {
 public:
  Server(const boost::asio::any_io_executor& executor, ServerOptions options, Handler& handler,
         ServerServices services);
  ~Server();  // after run() has ended

  // Loads certificate and key, where there is TLS, and binds the port. Errors: invalid (files), unavailable (port).
  Result<void> listen();
  std::uint16_t port() const;
  // Takes new certificate files into use for connections from now on. The old ones stay when the new ones are bad.
  Result<void> reload_certificate();

  // Serves a connection that somebody else has accepted and whose first bytes are still unread. Closes it when this
  // server does not run. A server that takes such connections only needs no listen(), but reload_certificate().
  void adopt(boost::asio::ip::tcp::socket socket);

  // Serves until stop() or cancellation; then drains, and returns when no connection is left.
  boost::asio::awaitable<void> run();
  // No new connection; idle ones close now, requests under way may finish within limits.drain, live streams end. What
  // has become something else has as long as that, or limits.upgraded_drain.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sallyport::http
