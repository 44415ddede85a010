#pragma once

#include "agent/tunnel/tunnel_server.h"
#include "shared/base/log.h"
#include "tests/unit/shared/link/link_fixture.h"

#include <boost/asio/ip/tcp.hpp>

#include <optional>
#include <string>

namespace sallyport::v1 {
class Reach;
}

namespace sallyport::test {

struct LogLines final : LogSink {
  std::string text;
  void write(std::string_view line) override { text.append(line).append("\n"); }
};

// A listener on loopback: what a policy may allow.
struct TestTarget {
  explicit TestTarget(const boost::asio::any_io_executor& on)
      : acceptor(on, {boost::asio::ip::address_v4::loopback(), 0}) {}
  std::uint16_t port() const { return acceptor.local_endpoint().port(); }
  boost::asio::ip::tcp::acceptor acceptor;
};

// A TunnelServer on the agent's end of a link over a line in memory, and the relay's end for the test. start() before
// anything else, close() before it dies.
struct AgentRig {
  // `targets` as policy.yaml has them: "127.0.0.1:22", ...
  AgentRig(const boost::asio::any_io_executor& executor, const std::vector<std::string>& targets,
           tunnel::ServerOptions options = {});
  boost::asio::awaitable<void> start();
  boost::asio::awaitable<void> close();

  link::Channel open(const std::string& purpose);
  // Reads to the end of a channel that is to be reset by the agent.
  boost::asio::awaitable<mux::PeerReset> refusal(const link::Channel& channel);
  boost::asio::awaitable<v1::Reach> reach(const std::string& target);

  LinkPair link;
  LogLines lines;
  SystemClock clock;
  Log log{lines, clock};
  policy::Policy policy;
  tunnel::TunnelServer server;
  bool serving = false;
};

}  // namespace sallyport::test
