#pragma once

#include "agent/link/endpoint.h"
#include "agent/link/proxy.h"
#include "agent/platform/lookups.h"
#include "shared/base/clock.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::agent {

inline constexpr std::chrono::milliseconds kBetweenAddresses{250};  // RFC 8305 section 5

// A line that swallowed the first SYN and is there again answers this one, long before the kernel would repeat the
// first.
inline constexpr std::chrono::seconds kAnotherDial{2};
inline constexpr unsigned kMostDials = 10;  // under way at once

// Makes TCP connections that end at the relay: directly, or through an HTTP proxy's CONNECT. Lives on one executor,
// which outlives it; its end may have to wait for the system's resolver.
class Dialer {
 public:
  // `proxy` as the configuration has it: a URL, "none", or empty for the environment.
  Dialer(const boost::asio::any_io_executor& executor, std::string proxy, Environment environment,
         platform::Lookups::Resolve resolve = platform::Lookups::ask_system);

  // The name is looked up anew. Its addresses are tried beside each other, IPv6 and IPv4 in turn, each
  // kBetweenAddresses after the one before or as soon as that failed; the first that connects is taken. What hangs
  // after that (a proxy) does not hold up the rest: every kAnotherDial a further dial is begun beside it, with the next
  // address first, and the first that has an outcome decides. By `deadline` there is one, also when the system's
  // resolver hangs. The error names the hop that failed.
  boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> dial(Endpoint target, SteadyTime deadline) const;

  // As dial() does it, in the resolver's order.
  boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> look_up(Endpoint at,
                                                                                      SteadyTime deadline) const;

 private:
  std::string proxy_;
  Environment environment_;
  std::unique_ptr<platform::Lookups> lookups_;
};

std::optional<std::string> process_environment(const std::string& name);

}  // namespace sallyport::agent
