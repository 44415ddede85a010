#pragma once

#include "agent/link/endpoint.h"
#include "agent/link/proxy.h"
#include "shared/base/clock.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sallyport::agent {

// A line that swallowed the first SYN and is there again answers this one, long before the kernel would repeat the
// first.
inline constexpr std::chrono::seconds kAnotherDial{2};
inline constexpr unsigned kMostDials = 10;  // under way at once

// Makes TCP connections that end at the relay: directly, or through an HTTP proxy's CONNECT. Runs on the caller's
// executor.
class Dialer {
 public:
  // `proxy` as the configuration has it: a URL, "none", or empty for the environment.
  Dialer(std::string proxy, Environment environment) : proxy_(std::move(proxy)), environment_(std::move(environment)) {}

  // Each address the name resolves to is tried, with its share of what is left until `deadline`. A connection that
  // hangs does not hold up the rest: every kAnotherDial a further one is begun beside it, with the next address, and
  // the first that has an outcome decides. The error names the hop that failed. A lookup that hangs ends by the system
  // resolver's own limits, which may be after the deadline.
  boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> dial(Endpoint target, SteadyTime deadline) const;

 private:
  std::string proxy_;
  Environment environment_;
};

// Without a proxy.
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> connect_tcp(Endpoint to, SteadyTime deadline);

std::optional<std::string> process_environment(const std::string& name);

}  // namespace sallyport::agent
